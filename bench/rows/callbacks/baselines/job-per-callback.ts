// Fastify that adds one BullMQ job per callback, and answers when Redis has it.
import { openJobQueue } from './job-queue.ts';
import { serveCallbacks } from './serve-callbacks.ts';

const queue = openJobQueue();
await serveCallbacks({ store: (event) => queue.add('status', event) });
