import { monotonicNowMs, type Logger, type Metrics } from '@tickmark/runtime';
import { inspectQueues } from './inspect-queues.ts';
import { DEFAULT_QUEUE_BASE, type QueueName } from './names.ts';
import { openProducerConnection } from './producer-connection.ts';

const CACHE_MS = 10_000;
const DEADLINE_MS = 2000;

export interface QueueMetricsOptions {
  redisUrl: string;
  base?: string;
  /** Asked at each collection: senders come and go. */
  queues: () => readonly QueueName[];
  metrics: Pick<Metrics, 'queueJobs' | 'queueOldestJobAge'>;
  log: Logger;
  /** Redis is asked at most once in so long; default 10 s. */
  cacheMs?: number;
}

export interface QueueMetricsCollector {
  /**
   * Brings `tickmark_queue_jobs{queue,state}` and `tickmark_queue_oldest_job_age_seconds{queue}` up to date; to be awaited before a scrape.
   * Never rejects and lasts 2 s at most. When Redis cannot be asked the gauges are empty: an old number would look like a calm queue.
   */
  collect(): Promise<void>;
  close(): Promise<void>;
}

export function collectQueueMetrics(options: QueueMetricsOptions): QueueMetricsCollector {
  const { base = DEFAULT_QUEUE_BASE, metrics, cacheMs = CACHE_MS } = options;
  const connection = openProducerConnection({ ...options, deadlineMs: DEADLINE_MS });
  let collectedMs = Number.NEGATIVE_INFINITY;
  let collecting: Promise<void> | undefined;

  async function collectNow(): Promise<void> {
    const states = await connection.run(() => inspectQueues(connection.redis, base, options.queues())).catch(() => []);
    collectedMs = monotonicNowMs();
    metrics.queueJobs.reset();
    metrics.queueOldestJobAge.reset();
    for (const { queue, waiting, active, delayed, oldestAgeMs } of states) {
      metrics.queueJobs.set({ queue, state: 'waiting' }, waiting);
      metrics.queueJobs.set({ queue, state: 'active' }, active);
      metrics.queueJobs.set({ queue, state: 'delayed' }, delayed);
      metrics.queueOldestJobAge.set({ queue }, oldestAgeMs / 1000);
    }
  }

  return {
    async collect() {
      if (monotonicNowMs() - collectedMs < cacheMs) return;
      collecting ??= collectNow().finally(() => {
        collecting = undefined;
      });
      await collecting;
    },
    close: () => connection.close(),
  };
}
