import type { Clock, Logger, Metrics } from '@tickmark/runtime';
import type { SenderPace, SharedCap, SharedConcurrency } from '@tickmark/queues';
import type { SendSlots } from './send-slots.ts';
import { waited } from './waited.ts';

const BEAT_MS = 1_000;

/** How long the queue of a sender rests after a 429: the calls of that moment end meanwhile. Twilio's own word is heard up to the maximum. */
const REST_MS = 500;
const REST_MS_MAX = 5_000;

export interface CallConcurrencyDeps {
  concurrency: SharedConcurrency;
  pace: Pick<SenderPace, 'rest'>;
  slots: Pick<SendSlots, 'setCapacity' | 'setProcesses'>;
  /** Create calls that this process has in flight at most (`WORKER_CONCURRENCY`). */
  concurrencyMax: number;
  clock: Clock;
  metrics: Pick<Metrics, 'sendConcurrency'>;
  log: Logger;
}

export interface CallConcurrency {
  /** Makes all processes call less at the same time, and lets the sender's queue rest for a moment. */
  throttled(alias: string, retryAfterMs: number | null): void;
  close(): Promise<void>;
}

/**
 * Keeps the calls in flight of this process at its share of what Twilio allows: it falls with each second of 429s, over all processes, and
 * recovers by itself. Read once a second; while Redis is slow, what was known last holds.
 */
export function followCallConcurrency(deps: CallConcurrencyDeps): CallConcurrency {
  const { concurrency, pace, slots, concurrencyMax, clock, metrics, log } = deps;
  const stop = new AbortController();
  const restsUntilMs = new Map<string, number>();
  let share = concurrencyMax;
  metrics.sendConcurrency.set(share);

  const follow = (shared: SharedCap) => {
    slots.setProcesses(shared.processes);
    const next = shareOf(shared, concurrencyMax);
    if (next === share) return;
    const { cap, ceiling, processes } = shared;
    log.info({ concurrency: next, before: share, cap, ceiling, processes }, 'concurrency of calls changed');
    share = next;
    slots.setCapacity(share);
    metrics.sendConcurrency.set(share);
  };
  const ask = (work: () => Promise<SharedCap>) =>
    work().then(follow, (error: unknown) => log.debug({ err: error }, 'redis did not tell the concurrency: the last one holds'));

  const beating = (async () => {
    do await ask(() => concurrency.beat());
    while (await waited(BEAT_MS, stop.signal));
  })();

  return {
    throttled: (alias, retryAfterMs) => {
      const nowMs = clock.monotonicMs();
      if (nowMs < (restsUntilMs.get(alias) ?? 0)) return;
      const restMs = Math.min(Math.max(REST_MS, retryAfterMs ?? 0), REST_MS_MAX);
      restsUntilMs.set(alias, nowMs + restMs);
      // The row waits in Postgres anyway; the rest only keeps others from running into the same refusal.
      pace.rest(alias, restMs).catch((error: unknown) => log.debug({ err: error }, 'a sender could not be told to rest'));
      void ask(() => concurrency.cut());
    },
    close: async () => {
      stop.abort();
      await beating;
    },
  };
}

/** An equal part of the cap, and what this process is set to while Twilio refuses nothing; one call always, so that it can recover. */
function shareOf({ cap, ceiling, processes }: SharedCap, concurrencyMax: number): number {
  if (cap >= ceiling) return concurrencyMax;
  return Math.min(concurrencyMax, Math.max(1, Math.floor(cap / processes)));
}
