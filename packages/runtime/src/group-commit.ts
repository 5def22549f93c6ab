import type { Clock } from './clock.ts';
import type { Metrics } from './metrics.ts';

/** The result of one item of a batch: its value, or the error that belongs to it alone. */
export type Settled<R> = { ok: true; value: R } | { ok: false; error: unknown };

/** One item alone is larger than a batch may be. */
export class ItemTooLargeError extends Error {
  readonly bytes: number;
  readonly bytesMax: number;

  constructor(bytes: number, bytesMax: number) {
    super(`one item of ${bytes} bytes is larger than the ${bytesMax} bytes that a batch may hold`);
    this.name = 'ItemTooLargeError';
    this.bytes = bytes;
    this.bytesMax = bytesMax;
  }
}

export interface GroupCommitOptions<T, R> {
  /** Label of the batch-size metric. */
  site: string;
  /** Writes one batch; answers one result per item, in order. An error thrown here is given to every caller of the batch. */
  flush: (items: T[]) => Promise<readonly Settled<R>[]>;
  /** Items per batch; default 500. */
  itemsMax?: number;
  /** Sum of `sizeOf` per batch; default 256 KiB. Without `sizeOf` only the count bounds a batch. */
  bytesMax?: number;
  sizeOf?: (item: T) => number;
  /** Least time between the starts of two flushes; default 0. */
  minIntervalMs?: number;
  /** Flushes at the same time; default 1. */
  inFlightMax?: number;
  /** A caller waits at most this long, counted from its arrival; then DeadlineExceededError. Default: without limit. */
  deadlineMs?: number;
  metrics: Pick<Metrics, 'groupCommitBatchSize'>;
  clock?: Clock;
}

export interface GroupCommit<T, R> {
  commit(item: T): Promise<R>;
  /** Flushes what is left and resolves when every caller was answered. Callers that come later are still served. */
  drain(): Promise<void>;
}

export function createGroupCommit<T, R>(_options: GroupCommitOptions<T, R>): GroupCommit<T, R> {
  throw new Error('not built yet');
}
