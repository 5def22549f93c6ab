import { randomBytes } from 'node:crypto';
import { monotonicNowMs, type Logger, type Metrics } from '@tickmark/runtime';
import { QueueKeys } from 'bullmq';
import { z } from 'zod';
import { DEFAULT_QUEUE_BASE, QUEUES, queuePrefix } from './names.ts';
import { done } from './outcome.ts';
import { openProducerConnection } from './producer-connection.ts';
import { openQueue } from './queue-set.ts';
import { startWorker } from './queue-worker.ts';

const INTERVAL_MS = 5000;
/** What a process that was killed leaves of its canary queue goes away by itself after this. */
const LEFTOVERS_MS = 600_000;
/** Everything that BullMQ may keep for a queue that nobody uses. */
const STRUCTURES = ['id', 'meta', 'events', 'marker', 'wait', 'active', 'delayed', 'stalled'];
const CLEANING_MS = 500;
const JOB_ID = 'canary';

const canaryPayloadSchema = z.strictObject({ v: z.literal(1), at: z.number() });

export interface CanaryOptions {
  redisUrl: string;
  base?: string;
  log: Logger;
  metrics: Pick<Metrics, 'jobDuration' | 'deadLetters' | 'canaryAge'>;
  /** Between two canaries; default 5 s. */
  intervalMs?: number;
}

export interface Canary {
  /** Time since this process's own worker last ran a canary (since the start when none has run yet). */
  lastRunAgeMs(): number;
  /** Never rejects, and ends at most a second after its deadline; safe to repeat. */
  close(deadlineMs: number): Promise<void>;
}

/**
 * Sends this process's own worker a tiny job every `intervalMs`: proof that this process can still fetch and run jobs.
 *
 * Every process has a canary queue of its own (`canary-<random>` under the prefix of `canary`): from a common one the other replicas would
 * take our canaries, which proves nothing about us, and a process that works would look stuck. At most one canary waits, so an outage leaves
 * nothing to catch up with.
 */
export function startCanary(options: CanaryOptions): Canary {
  const { base = DEFAULT_QUEUE_BASE, intervalMs = INTERVAL_MS, metrics } = options;
  const name = `${QUEUES.canary}-${randomBytes(6).toString('hex')}`;
  let lastRunMs = monotonicNowMs();
  const lastRunAgeMs = () => monotonicNowMs() - lastRunMs;

  const { worker, redis } = startWorker(
    {
      ...options,
      queue: QUEUES.canary,
      schema: canaryPayloadSchema,
      concurrency: 1,
      processor: () => {
        lastRunMs = monotonicNowMs();
        return Promise.resolve(done());
      },
    },
    name,
  );
  const queue = openQueue(redis, queuePrefix(base, QUEUES.canary), name);
  const keys = new QueueKeys(queuePrefix(base, QUEUES.canary));
  const leftovers = [...STRUCTURES, JOB_ID].map((type) => keys.toKey(name, type));

  let adding = false;
  const add = async () => {
    metrics.canaryAge.set({ queue: QUEUES.canary }, lastRunAgeMs() / 1000);
    // Without Redis an add waits; a second one would wait behind it.
    if (adding) return;
    adding = true;
    try {
      await queue.add(QUEUES.canary, { v: 1, at: Date.now() }, { jobId: JOB_ID });
      const pipeline = redis.pipeline();
      for (const key of leftovers) pipeline.pexpire(key, LEFTOVERS_MS);
      await pipeline.exec();
    } catch {
      // The connection's own listener has logged it, and the age says the rest.
    } finally {
      adding = false;
    }
  };
  const timer = setInterval(() => void add(), intervalMs);
  void add();

  return {
    lastRunAgeMs,
    close: async (deadlineMs) => {
      clearInterval(timer);
      await worker.close(deadlineMs);
      const cleaner = openProducerConnection({ ...options, deadlineMs: CLEANING_MS });
      // Without Redis there is nothing to clean, or it goes away by itself.
      await cleaner.run(() => cleaner.redis.unlink(...leftovers)).catch(() => 0);
      await cleaner.close();
    },
  };
}
