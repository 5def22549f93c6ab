/** Time, passed as a dependency so that tests can turn it. Decisions about rows use the database's clock, never this one. */
export interface Clock {
  now(): Date;
  /** Milliseconds since an arbitrary start; never goes back, unlike the wall clock. */
  monotonicMs(): number;
}

/** Milliseconds since the process started, with fractions; for durations and deadlines. */
export function monotonicNowMs(): number {
  return performance.now();
}

export const systemClock: Clock = { now: () => new Date(), monotonicMs: monotonicNowMs };
