import type { Logger } from '@tickmark/runtime';
import { QUEUES } from './names.ts';
import { done } from './outcome.ts';
import { messageStatusPayloadSchema, type ToldStatus } from './payloads.ts';
import { createQueueWorker, type QueueWorker } from './queue-worker.ts';
import { NO_JOB_METRICS, type JobMetrics } from './run-job.ts';

export interface StatusConsumerOptions {
  redisUrl: string;
  /** `QUEUE_PREFIX` of the workers. */
  base?: string;
  /**
   * Does with statuses what the consumer is there for: up to 100 of them, of any producer. When this rejects, the same come again in 5 s, for as
   * long as it takes.
   */
  onStatuses: (told: readonly ToldStatus[]) => Promise<void>;
  log: Logger;
  metrics?: JobMetrics;
}

/**
 * Receives what became of messages, in the caller's own process. Of several consumers each job goes to one.
 *
 * A convenience, so that nobody has to poll: at least once, in no order, and of several changes within a moment only the last. Compare by `at`,
 * and never go from a final status back to one that is not. While nobody consumes, no more than 1,000 jobs wait and newer statuses are left
 * out; workers that are killed leave some out as well. What must not be missed is asked of `GET /v1/messages/:id`.
 */
export function createStatusConsumer(options: StatusConsumerOptions): Pick<QueueWorker, 'ready' | 'close'> {
  const { onStatuses, metrics = NO_JOB_METRICS, ...rest } = options;
  return createQueueWorker({
    ...rest,
    concurrency: 1,
    metrics,
    queue: QUEUES.messageStatus,
    schema: messageStatusPayloadSchema,
    processor: async ({ events }) => {
      await onStatuses(events);
      return done();
    },
  });
}
