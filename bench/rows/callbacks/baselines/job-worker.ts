// Takes one BullMQ job per callback and applies each in a transaction of its own.
import { Worker } from 'bullmq';
import type { StatusEvent } from '@tickmark/domain';
import { answerHealth } from '../../../harness/candidate.ts';
import { createCallbackApplier } from './apply-callbacks.ts';
import { connectRedis, JOB_QUEUE } from './job-queue.ts';
import { endWithParent } from './serve-callbacks.ts';

/** Measured with 25, 50, 100 and 200. */
const CONCURRENCY = 100;

const applier = createCallbackApplier();
const worker = new Worker<StatusEvent>(JOB_QUEUE, (job) => applier.applyOne(job.data), {
  connection: connectRedis(),
  concurrency: CONCURRENCY,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
  skipVersionCheck: true,
});
worker.on('error', (error) => console.error(error));
await worker.waitUntilReady();
await answerHealth(Number(process.env['HEALTH_PORT']));
endWithParent();
