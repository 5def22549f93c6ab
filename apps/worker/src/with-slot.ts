import { snooze, type Outcome } from '@tickmark/queues';
import type { Clock } from '@tickmark/runtime';
import type { SendSlots } from './send-slots.ts';

/** When a job comes back that found no slot: at a random time, so that those of one moment do not come back together. */
const RETURN_MS_MIN = 500;
const RETURN_MS_MAX = 1_500;

/**
 * Runs a sender's job in one of its slots, from before the claim until after the record: a claimed row never waits, and what could not be
 * recorded yet keeps others from being called.
 */
export function withSlot<Payload, Rest extends unknown[]>(
  { slots, clock }: { slots: Pick<SendSlots, 'take'>; clock: Clock },
  alias: string,
  send: (payload: Payload, ...rest: Rest) => Promise<Outcome>,
): (payload: Payload, ...rest: Rest) => Promise<Outcome> {
  return async (payload, ...rest) => {
    const release = await slots.take(alias);
    if (release === null) return snooze(clock.now().getTime() + RETURN_MS_MIN + Math.random() * (RETURN_MS_MAX - RETURN_MS_MIN));
    try {
      return await send(payload, ...rest);
    } finally {
      release();
    }
  };
}
