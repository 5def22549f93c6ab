import type { QueueLog } from './log.ts';
import type { QueueMetrics } from './metrics.ts';
import type { QueueName } from './names.ts';

export interface QueueMetricsOptions {
  redisUrl: string;
  base?: string;
  /** Asked at each collection: senders come and go. */
  queues: () => readonly QueueName[];
  metrics: Pick<QueueMetrics, 'queueJobs' | 'queueOldestJobAge'>;
  log: QueueLog;
  cacheMs?: number;
}

export interface QueueMetricsCollector {
  /** Brings the gauges up to date, at most once per `cacheMs`. Never rejects and never takes longer than 2 s: to be awaited before a scrape. */
  collect(): Promise<void>;
  close(): Promise<void>;
}

export function collectQueueMetrics(_options: QueueMetricsOptions): QueueMetricsCollector {
  throw new Error('not built yet');
}
