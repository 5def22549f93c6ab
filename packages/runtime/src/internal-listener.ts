import type { Logger } from './logger.ts';
import type { Metrics, ProcessName } from './metrics.ts';

/** Where each process shows its metrics and health when METRICS_PORT is not given. */
export const METRICS_PORTS = { ingress: 9464, worker: 9465, console: 9466, simulator: 9467 } as const satisfies Record<ProcessName, number>;

export interface Readiness {
  ready: boolean;
  /** Why not, each in words for an operator; empty when ready. */
  reasons: string[];
}

export interface InternalListener {
  port: number;
  close(): Promise<void>;
}

export interface InternalListenerOptions {
  host: string;
  port: number;
  /** A given port that is taken is an error; a default one gives way to the next free one. */
  portWasGiven: boolean;
  metrics: Metrics;
  log: Logger;
  ready: () => Promise<Readiness>;
  live?: () => Promise<boolean>;
}

export async function startInternalListener(_options: InternalListenerOptions): Promise<InternalListener> {
  throw new Error('not built yet');
}
