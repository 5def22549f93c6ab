import { createQueueWorker, snooze, type QueueWorker, type QueueWorkerOptions } from '@tickmark/queues';
import type { DatabaseBreaker } from './database-breaker.ts';

/** For a job that met an outage: soon enough for a database that comes back at once, and the worker pauses for one that does not. */
const SNOOZE_MS = 1_000;

/** A queue worker that takes no jobs while the database is away, and puts off those that it had taken: no attempt, no failure, no line each. */
export function createGuardedWorker<Payload>(
  breaker: Pick<DatabaseBreaker, 'explains' | 'care'>,
  options: QueueWorkerOptions<Payload>,
): QueueWorker {
  const worker = createQueueWorker<Payload>({
    ...options,
    processor: async (payload, job) => {
      try {
        return await options.processor(payload, job);
      } catch (error) {
        if (!(await breaker.explains(error))) throw error;
        options.log.debug({ queue: options.queue, jobId: job.id, err: error }, 'job put off: the database is away');
        return snooze(Date.now() + SNOOZE_MS);
      }
    },
  });
  breaker.care(worker);
  return worker;
}
