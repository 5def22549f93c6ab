import type { DatabaseBreaker } from './database-breaker.ts';
import { waited } from './waited.ts';

/** Questions that fail one after the other: Twilio is away or our key is wrong, and the rest of the pass would fail too. */
export const FAILURES_MAX = 3;

/** A pass takes up nothing more after this: with a small request budget it would outlast its lock, which ends after 15 minutes of silence. */
export const PASS_MS_MAX = 300_000;

/** Works on `concurrency` items at a time until none is left or it is over. All have ended when it returns, so that a lock may be given back. @throws what the first one threw */
export async function workThrough<T>(
  items: readonly T[],
  { concurrency, isOver }: { concurrency: number; isOver: () => boolean },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = [...items];
  const next = () => (isOver() ? undefined : waiting.shift());
  const workOn = async () => {
    for (let item = next(); item !== undefined; item = next()) await work(item);
  };
  const results = await Promise.allSettled(Array.from({ length: concurrency }, workOn));
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

export interface PassesOptions {
  breaker: Pick<DatabaseBreaker, 'report' | 'reason'>;
  intervalMs: number;
  /** Before the first pass; default as long as between two. */
  firstMs?: number | undefined;
  /** What is logged of a pass that failed; the next one begins anew. */
  failure: string;
}

/** One pass after the other while the database is there, until stopped. */
export function repeatPasses(
  pass: (signal: AbortSignal) => Promise<unknown>,
  { breaker, intervalMs, firstMs = intervalMs, failure }: PassesOptions,
): { stop(): Promise<void> } {
  const stop = new AbortController();
  const running = (async () => {
    for (let waitMs = firstMs; await waited(waitMs, stop.signal); waitMs = intervalMs) {
      if (breaker.reason() !== null) continue;
      try {
        await pass(stop.signal);
      } catch (error) {
        if (!stop.signal.aborted) await breaker.report(error, failure);
      }
    }
  })();
  return {
    stop: () => {
      stop.abort();
      return running;
    },
  };
}
