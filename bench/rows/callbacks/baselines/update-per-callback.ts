// Fastify that applies each callback by one guarded statement, and answers when it is committed.
import { createCallbackApplier } from './apply-callbacks.ts';
import { serveCallbacks } from './serve-callbacks.ts';

const applier = createCallbackApplier();
await serveCallbacks({ store: (event) => applier.applyOne(event) });
