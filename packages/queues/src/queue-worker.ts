import type { z } from 'zod';
import type { QueueLog } from './log.ts';
import type { QueueMetrics } from './metrics.ts';
import type { QueueName } from './names.ts';
import type { Outcome } from './outcome.ts';

/** What a processor may know of the job besides its payload. */
export interface RunningJob {
  id: string;
  /** Number of earlier runs that ended in `retry`: 0 on the first. */
  attemptsMade: number;
}

export interface QueueWorkerOptions<Payload> {
  redisUrl: string;
  base?: string;
  queue: QueueName;
  schema: z.ZodType<Payload>;
  processor: (payload: Payload, job: RunningJob) => Promise<Outcome>;
  concurrency: number;
  log: QueueLog;
  metrics: Pick<QueueMetrics, 'jobDuration' | 'deadLetters'>;
  /** `QUEUE_LOCK_MS`; default by queue: 30 s for send, 10 s for the others. */
  lockMs?: number | undefined;
  /** `QUEUE_STALLED_MS`; default by queue: 15 s for send, 5 s for the others. */
  stalledMs?: number | undefined;
}

export interface QueueWorker {
  readonly queue: QueueName;
  /** Resolves once both connections are up; waits for ever without Redis. */
  ready(): Promise<void>;
  setConcurrency(concurrency: number): void;
  /** After it no further job reaches the processor; running ones end by themselves. */
  pause(): void;
  resume(): void;
  /** Stops fetching and waits for running jobs, at most `deadlineMs`; jobs still running then are run again elsewhere. Never rejects. */
  close(deadlineMs: number): Promise<{ drained: boolean }>;
}

export function createQueueWorker<Payload>(_options: QueueWorkerOptions<Payload>): QueueWorker {
  throw new Error('not built yet');
}
