import { setTimeout as pause } from 'node:timers/promises';
import { monotonicNowMs } from '@tickmark/runtime';

/** A turn of its own for every request of one client. */
export interface RequestPace {
  /** Waits for the next turn. @throws the signal's AbortError when it ends the wait. */
  take(signal: AbortSignal): Promise<void>;
}

/** Turns follow each other by 1/`perSecond`, whoever takes them: a request budget that no burst exceeds. */
export function createRequestPace(perSecond: number): RequestPace {
  const intervalMs = 1_000 / perSecond;
  let nextTurnMs = 0;
  return {
    take: async (signal) => {
      const nowMs = monotonicNowMs();
      const turnMs = Math.max(nowMs, nextTurnMs);
      nextTurnMs = turnMs + intervalMs;
      if (turnMs > nowMs) await pause(turnMs - nowMs, undefined, { signal });
    },
  };
}
