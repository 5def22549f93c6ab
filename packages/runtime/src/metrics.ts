import type { Counter, Gauge, Histogram, Registry } from 'prom-client';

export type ProcessName = 'ingress' | 'worker' | 'console' | 'simulator';

export interface Metrics {
  registry: Registry;
  httpRequestDuration: Histogram<'method' | 'route' | 'status'>;
  callbacksReceived: Counter<'result'>;
  callbackSignature: Counter<'result'>;
  sendAttempts: Counter<'sender' | 'outcome'>;
  sendDuration: Histogram;
  messageStatus: Counter<'status'>;
  messageErrors: Counter<'code' | 'class'>;
  deliveryLatency: Histogram<'stage'>;
  receiptCompleteness: Gauge<'sender'>;
  queueJobs: Gauge<'queue' | 'state'>;
  queueOldestJobAge: Gauge<'queue'>;
  jobDuration: Histogram<'queue'>;
  unknownOutcomes: Gauge<'listed'>;
  reconciled: Counter<'result'>;
  rateLimited: Counter<'sender'>;
  circuitOpen: Gauge<'scope'>;
  spooledEvents: Gauge;
  groupCommitBatchSize: Histogram<'site'>;
  idempotencyConflicts: Counter;
  deadLetters: Counter<'queue'>;
  clockSkew: Gauge;
  canaryAge: Gauge<'queue'>;
}

export function createMetrics(_options: { process: ProcessName }): Metrics {
  throw new Error('not built yet');
}
