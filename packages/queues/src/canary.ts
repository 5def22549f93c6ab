import type { QueueLog } from './log.ts';
import type { QueueMetrics } from './metrics.ts';

export interface CanaryOptions {
  redisUrl: string;
  base?: string;
  log: QueueLog;
  metrics: Pick<QueueMetrics, 'jobDuration' | 'deadLetters' | 'canaryAge'>;
  /** Between two canaries; default 5 s. */
  intervalMs?: number;
}

export interface Canary {
  /** Time since this process's own worker last ran a canary (since the start when none has run yet). */
  lastRunAgeMs(): number;
  close(deadlineMs: number): Promise<void>;
}

/** Sends this process's own worker a tiny job every `intervalMs`: proof that this process can still fetch and run jobs. */
export function startCanary(_options: CanaryOptions): Canary {
  throw new Error('not built yet');
}
