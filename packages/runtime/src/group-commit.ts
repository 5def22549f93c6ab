import { DeadlineExceededError } from './deadline.ts';

const ITEMS_MAX = 500;
const BYTES_MAX = 256 * 1024;

/**
 * While a flush is under way, a further one (if more than one may be) begins no sooner than this after the last began. It keeps
 * batches large when flushes are quick, and lets a slow one hold the others back by no more than this.
 */
const OVERTAKE_MS = 20;

/** The result of one item of a batch: its value, or the error that belongs to it alone. */
export type Settled<R> = { ok: true; value: R } | { ok: false; error: unknown };

/** One item alone is larger than a whole batch may be; nothing was written. */
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
  /** Label of the batch-size metric: one of a few fixed words. */
  site: string;
  /** Writes one batch and answers one result per item, in their order. What it throws goes to every caller of the batch. */
  flush: (items: T[]) => Promise<readonly Settled<R>[]>;
  /** Items per batch; default 500. */
  itemsMax?: number;
  /** Sum of `sizeOf` per batch; default 256 KiB. Without `sizeOf` only the count bounds a batch. */
  bytesMax?: number;
  sizeOf?: (item: T) => number;
  /** Least time between the beginnings of two flushes, unless a batch is full; default 0. */
  minIntervalMs?: number;
  /** So many flushes may come before their time after a quiet moment: the interval is for the busy ones, who gain by it. Default 0. */
  burst?: number;
  /**
   * The first caller takes along those of the same turn of the event loop, instead of going alone a moment before them: for callers that
   * come in lumps, as answers over a network do. Default false: it is flushed within its own call of `commit`.
   */
  collectTurn?: boolean;
  /** Flushes under way at the same time; default 1. */
  inFlightMax?: number;
  /** The longest that a caller waits, counted from its arrival and whatever a flush does; default: without limit. */
  deadlineMs?: number;
  /** Our own, or anything that looks like it. */
  metrics: { groupCommitBatchSize: { labels(site: string): { observe(items: number): void } } };
}

export interface GroupCommit<T, R> {
  /**
   * Writes one item together with others.
   *
   * @returns the item's own result. Rejects with the item's own error, with what the flush threw, with ItemTooLargeError, or with
   *   DeadlineExceededError, whose `started` is false when the item was never given to a flush (and never will be).
   */
  commit(item: T): Promise<R>;
  /** Flushes what is left without waiting for the interval, and resolves when every caller was answered. May be repeated. */
  drain(): Promise<void>;
}

/**
 * Collects callers while a write is under way and gives them all to the next write: no delay when idle, large batches exactly when
 * loaded. The first caller after a quiet moment is flushed at once, within its own call of `commit` or within its turn of the event loop.
 */
export function createGroupCommit<T, R>(options: GroupCommitOptions<T, R>): GroupCommit<T, R> {
  return new Committer(options);
}

interface Waiter<T, R> {
  readonly item: T;
  readonly bytes: number;
  readonly expiresAtMs: number;
  readonly resolve: (value: R) => void;
  readonly reject: (error: unknown) => void;
  started: boolean;
  answered: boolean;
  /** The next to arrive. Cut when this one is answered, so that a batch that hangs keeps no later caller in memory. */
  next: Waiter<T, R> | undefined;
}

class Committer<T, R> implements GroupCommit<T, R> {
  readonly #options: GroupCommitOptions<T, R>;
  readonly #itemsMax: number;
  readonly #bytesMax: number;
  readonly #inFlightMax: number;
  readonly #minIntervalMs: number;
  readonly #burst: number;
  readonly #collectTurn: boolean;
  readonly #batchSize: { observe(items: number): void };

  #collected: Waiter<T, R>[] = [];
  #collectedBytes = 0;
  #inFlight = 0;
  #lastBeganMs = -Infinity;
  /** When the next flush would begin if all kept the interval. */
  #nextMs = -Infinity;
  #flushTimer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;

  /** Callers in order of arrival, which is the order of their deadlines too: one timer serves them all. */
  #oldest: Waiter<T, R> | undefined;
  #newest: Waiter<T, R> | undefined;
  #deadlineTimer: NodeJS.Timeout | undefined;

  #unanswered = 0;
  #drained: (() => void)[] = [];

  constructor(options: GroupCommitOptions<T, R>) {
    this.#options = options;
    this.#itemsMax = options.itemsMax ?? ITEMS_MAX;
    this.#bytesMax = options.bytesMax ?? BYTES_MAX;
    this.#inFlightMax = options.inFlightMax ?? 1;
    this.#minIntervalMs = options.minIntervalMs ?? 0;
    this.#burst = options.burst ?? 0;
    this.#collectTurn = options.collectTurn ?? false;
    this.#batchSize = options.metrics.groupCommitBatchSize.labels(options.site);
  }

  commit(item: T): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const { sizeOf, deadlineMs } = this.#options;
      const bytes = sizeOf === undefined ? 0 : sizeOf(item);
      if (bytes > this.#bytesMax) throw new ItemTooLargeError(bytes, this.#bytesMax);
      const expiresAtMs = deadlineMs === undefined ? Infinity : performance.now() + deadlineMs;
      const waiter = { item, bytes, expiresAtMs, resolve, reject, started: false, answered: false, next: undefined };
      this.#collected.push(waiter);
      this.#collectedBytes += bytes;
      this.#unanswered += 1;
      if (deadlineMs !== undefined) this.#watch(waiter);
      this.#flushWhatIsDue();
    });
  }

  drain(): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.#stopFlushTimer();
      this.#flushWhatIsDue();
    });
  }

  #flushWhatIsDue(turnIsOver = !this.#collectTurn): void {
    while (this.#collected.length > 0 && this.#inFlight < this.#inFlightMax) {
      const hurry = this.#drained.length > 0 || this.#collected.length >= this.#itemsMax || this.#collectedBytes >= this.#bytesMax;
      if (!hurry) {
        if (this.#flushTimer !== undefined || this.#turn !== undefined) return;
        const waitMs = this.#waitMs();
        if (waitMs > 0) {
          this.#flushTimer = setTimeout(() => {
            this.#flushTimer = undefined;
            this.#flushWhatIsDue();
          }, Math.ceil(waitMs));
          return;
        }
        if (!turnIsOver) {
          this.#turn = setImmediate(() => {
            this.#turn = undefined;
            this.#flushWhatIsDue(true);
          });
          return;
        }
      }
      this.#stopFlushTimer();
      void this.#flush(this.#takeBatch());
    }
  }

  #waitMs(): number {
    const pacedMs = this.#nextMs - this.#burst * this.#minIntervalMs;
    const overtakingMs = this.#inFlight === 0 ? -Infinity : this.#lastBeganMs + OVERTAKE_MS;
    return Math.max(pacedMs, overtakingMs) - performance.now();
  }

  #takeBatch(): Waiter<T, R>[] {
    const collected = this.#collected;
    if (collected.length <= this.#itemsMax && this.#collectedBytes <= this.#bytesMax) {
      this.#collected = [];
      this.#collectedBytes = 0;
      return collected;
    }
    let count = 0;
    let bytes = 0;
    for (const waiter of collected) {
      if (count === this.#itemsMax || bytes + waiter.bytes > this.#bytesMax) break;
      count += 1;
      bytes += waiter.bytes;
    }
    this.#collectedBytes -= bytes;
    return collected.splice(0, count);
  }

  async #flush(batch: Waiter<T, R>[]): Promise<void> {
    this.#inFlight += 1;
    const nowMs = performance.now();
    this.#lastBeganMs = nowMs;
    this.#nextMs = Math.min(Math.max(this.#nextMs, nowMs), nowMs + this.#burst * this.#minIntervalMs) + this.#minIntervalMs;
    this.#batchSize.observe(batch.length);
    const items = batch.map((waiter) => {
      waiter.started = true;
      return waiter.item;
    });
    try {
      const results = await this.#options.flush(items);
      if (results.length !== batch.length) {
        throw new Error(`the flush of ${this.#options.site} answered ${results.length} results for ${batch.length} items`);
      }
      batch.forEach((waiter, index) => this.#answer(waiter, results[index] as Settled<R>));
    } catch (error) {
      for (const waiter of batch) this.#answer(waiter, { ok: false, error });
    }
    this.#inFlight -= 1;
    this.#forgetAnswered();
    this.#stopFlushTimer();
    this.#flushWhatIsDue();
  }

  /** Answers a caller once; what comes after its deadline is dropped. */
  #answer(waiter: Waiter<T, R>, result: Settled<R>): void {
    if (waiter.answered) return;
    waiter.answered = true;
    if (result.ok) waiter.resolve(result.value);
    else waiter.reject(result.error);
    this.#unanswered -= 1;
    if (this.#unanswered > 0) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }

  #watch(waiter: Waiter<T, R>): void {
    if (this.#newest === undefined) this.#oldest = waiter;
    else this.#newest.next = waiter;
    this.#newest = waiter;
    this.#startDeadlineTimer();
  }

  #startDeadlineTimer(): void {
    if (this.#deadlineTimer !== undefined || this.#oldest === undefined) return;
    this.#deadlineTimer = setTimeout(
      () => {
        this.#deadlineTimer = undefined;
        this.#expire();
      },
      Math.ceil(this.#oldest.expiresAtMs - performance.now()),
    );
  }

  #expire(): void {
    const nowMs = performance.now();
    const { site, deadlineMs = Infinity } = this.#options;
    for (let waiter = this.#oldest; waiter !== undefined && waiter.expiresAtMs <= nowMs; waiter = waiter.next) {
      const { started } = waiter;
      this.#answer(waiter, { ok: false, error: new DeadlineExceededError(`the group commit of ${site}`, deadlineMs, { started }) });
    }
    const live = this.#collected.findIndex((waiter) => !waiter.answered);
    // An item whose caller has gone is not written: a claim that nobody acts upon would end as an unknown outcome.
    for (const gone of this.#collected.splice(0, live === -1 ? this.#collected.length : live)) this.#collectedBytes -= gone.bytes;
    this.#forgetAnswered();
    this.#startDeadlineTimer();
  }

  #forgetAnswered(): void {
    let oldest = this.#oldest;
    while (oldest?.answered === true) {
      const { next }: Waiter<T, R> = oldest;
      oldest.next = undefined;
      oldest = next;
    }
    this.#oldest = oldest;
    if (oldest !== undefined) return;
    this.#newest = undefined;
    clearTimeout(this.#deadlineTimer);
    this.#deadlineTimer = undefined;
  }

  #stopFlushTimer(): void {
    clearTimeout(this.#flushTimer);
    clearImmediate(this.#turn);
    this.#flushTimer = this.#turn = undefined;
  }
}
