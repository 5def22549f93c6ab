import type { Logger } from '@tickmark/runtime';
import { Worker } from 'bullmq';
import type { Redis } from 'ioredis';
import type { z } from 'zod';
import { closeWorker } from './close-worker.ts';
import { DEFAULT_QUEUE_BASE, isSendQueue, queuePrefix, type QueueName } from './names.ts';
import { putBack, type Outcome } from './outcome.ts';
import { createJobRunner, type JobMetrics, type RunningJob } from './run-job.ts';
import { watchWorker } from './watch-worker.ts';
import { createWorkerFlow } from './worker-flow.ts';
import { openWorkerConnections } from './worker-connections.ts';

/** A create call lasts up to 10 s and its record longer, so a send job's lock must outlive both. The other queues' statements end within 8 s. */
const SEND_LOCKS = { lockMs: 30_000, stalledMs: 15_000 };
const OTHER_LOCKS = { lockMs: 10_000, stalledMs: 5000 };

/**
 * BullMQ fails a job that was found stalled more often than this. A deploy that crashes in a loop stalls everything that its workers touch, and
 * failing would lose accepted messages and statuses for a fault that is not theirs; so nothing is ever failed for it. What guards against a job
 * that kills its worker is elsewhere: a claimed row is not claimed again, batches are checked before they run, and the log names the job.
 */
const STALLED_COUNT_MAX = Number.MAX_SAFE_INTEGER;

export interface QueueWorkerOptions<Payload> {
  redisUrl: string;
  base?: string;
  queue: QueueName;
  schema: z.ZodType<Payload>;
  processor: (payload: Payload, job: RunningJob) => Promise<Outcome>;
  concurrency: number;
  log: Logger;
  metrics: JobMetrics;
  /** `QUEUE_LOCK_MS`; default by queue: 30 s for send, 10 s for the others. */
  lockMs?: number | undefined;
  /** `QUEUE_STALLED_MS`; default by queue: 15 s for send, 5 s for the others. */
  stalledMs?: number | undefined;
}

export interface QueueWorker {
  readonly queue: QueueName;
  /** Resolves once both connections are up; without Redis it waits. */
  ready(): Promise<void>;
  /** Holds at once, also while all running jobs take long. @param concurrency at least 1 */
  setConcurrency(concurrency: number): void;
  /**
   * After it no further job reaches the processor; running ones end by themselves. In this process only.
   *
   * @param reason one of a few fixed words: the worker goes on when each that paused it has been taken back
   */
  pause(reason: string): void;
  resume(reason: string): void;
  /**
   * Stops fetching and waits for running jobs, at most `deadlineMs`. Never rejects, never hangs, safe to repeat.
   *
   * @returns drained: false when a job's end may not have been told to Redis; such a job runs again elsewhere
   */
  close(deadlineMs: number): Promise<{ drained: boolean }>;
}

/** Runs the jobs of one queue, as soon as Redis is there and whenever it is there again. */
export function createQueueWorker<Payload>(options: QueueWorkerOptions<Payload>): QueueWorker {
  return startWorker(options, options.queue).worker;
}

/** As createQueueWorker, for a BullMQ queue that is not called like its label; and its connection, to add to that queue. */
export function startWorker<Payload>(options: QueueWorkerOptions<Payload>, name: string): { worker: QueueWorker; redis: Redis } {
  const { queue, log } = options;
  const connections = openWorkerConnections(options.redisUrl);
  const run = createJobRunner({ ...options, label: queue });
  let running = 0;
  const worker: Worker = new Worker(
    name,
    async (job, token = '') => {
      const taken = { job, token, backend: worker.getBackend() };
      running += 1;
      try {
        // A worker that was waiting for a job when it was paused still fetches one.
        if (flow.isPaused()) await putBack(taken, log);
        await run(taken);
      } finally {
        running -= 1;
      }
    },
    { ...settingsOf(options), connection: connections.main },
  );
  const flow = createWorkerFlow(worker);
  watchWorker(worker, { queue, log }, () => flow.breathe());

  let closed: Promise<boolean> | undefined;
  const close = async (deadlineMs: number) => {
    flow.stop();
    closed ??= closeWorker(worker, connections, { deadlineMs, isRunning: () => running > 0 });
    return { drained: await closed };
  };
  const setConcurrency = (concurrency: number) => {
    const raised = concurrency > worker.concurrency;
    worker.concurrency = concurrency;
    if (raised) wakeLoop(worker);
  };
  const ready = () => worker.waitUntilReady();
  return {
    redis: connections.main,
    worker: { queue, ready, setConcurrency, pause: (reason) => flow.pause(reason), resume: (reason) => flow.resume(reason), close },
  };
}

/**
 * Lets a worker that waits for one of its running jobs look at its concurrency again, in the way of BullMQ's own `resume`. Otherwise a higher
 * one would count when the next job ends: after ten seconds, if that is how long the calls take. Should a release of BullMQ have no such
 * queue, it is as without this.
 */
function wakeLoop(worker: Worker): void {
  const { mainLoopQueue } = worker as unknown as { mainLoopQueue?: { add?: (nothing: Promise<void>) => void } | null };
  mainLoopQueue?.add?.(Promise.resolve());
}

function settingsOf(options: Pick<QueueWorkerOptions<unknown>, 'base' | 'queue' | 'concurrency' | 'lockMs' | 'stalledMs'>) {
  const { base = DEFAULT_QUEUE_BASE, queue } = options;
  const locks = isSendQueue(queue) ? SEND_LOCKS : OTHER_LOCKS;
  return {
    prefix: queuePrefix(base, queue),
    concurrency: options.concurrency,
    lockDuration: options.lockMs ?? locks.lockMs,
    stalledInterval: options.stalledMs ?? locks.stalledMs,
    maxStalledCount: STALLED_COUNT_MAX,
    // Finished jobs leave Redis: an id can be added again, and no payload outlives its job.
    removeOnComplete: { count: 0 },
    removeOnFail: { count: 0 },
    // After a lost connection.
    runRetryDelay: 1000,
  };
}
