import type { Clock } from './clock.ts';
import { monotonicNowMs } from './clock.ts';
import type { Logger } from './logger.ts';

const INTERVAL_MS = 10_000;

/** Keys are few fixed words; one that is made of changing text must not fill the memory. */
const KEYS_MAX = 1000;

export interface ErrorLogLimiter {
  /**
   * Logs the error under `message`, with the number of lines that were left out since the last one of the same key. Within 10 s of
   * that one it only counts.
   *
   * @param key names what went wrong, not the single case: the queue, the connection, the error code
   */
  error(key: string, error: unknown, message: string): void;
}

/** Keeps an error that comes thousands of times a second (a worker whose Redis is full) from filling the disk with one line each. */
export function createErrorLogLimiter(options: { log: Pick<Logger, 'error'>; intervalMs?: number; clock?: Clock }): ErrorLogLimiter {
  const { log, intervalMs = INTERVAL_MS, clock } = options;
  const keys = new Map<string, { loggedAtMs: number; suppressed: number }>();
  return {
    error: (key, error, message) => {
      const nowMs = clock === undefined ? monotonicNowMs() : clock.monotonicMs();
      const last = keys.get(key);
      if (last !== undefined && nowMs - last.loggedAtMs < intervalMs) {
        last.suppressed += 1;
        return;
      }
      if (last === undefined && keys.size >= KEYS_MAX) keys.clear();
      keys.set(key, { loggedAtMs: nowMs, suppressed: 0 });
      log.error({ err: error, key, suppressed: last?.suppressed ?? 0 }, message);
    },
  };
}
