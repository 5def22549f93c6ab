import type { Logger } from '@tickmark/runtime';
import { QUEUES } from './names.ts';
import { done } from './outcome.ts';
import { inboundMessagePayloadSchema, type InboundMessagePayload } from './payloads.ts';
import { createQueueWorker, type QueueWorker } from './queue-worker.ts';
import { NO_JOB_METRICS, type JobMetrics } from './run-job.ts';

/** Messages at the same time, unless told otherwise. */
const CONCURRENCY = 10;

export interface InboundConsumerOptions {
  redisUrl: string;
  /** `QUEUE_PREFIX` of the workers. */
  base?: string;
  /**
   * Does with a message what the consumer is there for. At least once for each: it may come again, also after it was done, and is told by its
   * `messageSid`. When this rejects, the message comes again in 5 s, for as long as it takes.
   */
  onMessage: (received: Omit<InboundMessagePayload, 'v'>) => Promise<void>;
  /** Messages at the same time; default 10. Their order is not promised: `receivedAt` tells it. */
  concurrency?: number;
  log: Logger;
  metrics?: JobMetrics;
}

/**
 * Receives what people wrote, in the caller's own process, as soon as Redis is there and whenever it is there again. Of several consumers
 * each message goes to one.
 */
export function createInboundConsumer(options: InboundConsumerOptions): Pick<QueueWorker, 'ready' | 'close'> {
  const { onMessage, concurrency = CONCURRENCY, metrics = NO_JOB_METRICS, ...rest } = options;
  return createQueueWorker({
    ...rest,
    concurrency,
    metrics,
    queue: QUEUES.inboundMessage,
    schema: inboundMessagePayloadSchema,
    processor: async ({ message, optOut }) => {
      await onMessage({ message, optOut });
      return done();
    },
  });
}
