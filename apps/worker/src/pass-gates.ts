import { snooze, type Outcome } from '@tickmark/queues';
import type { Clock } from '@tickmark/runtime';
import type { FollowedStops } from './follow-stops.ts';
import type { Probe } from './half-open.ts';
import type { SendSlots } from './send-slots.ts';

/** When a job comes back that may not go on: at a random time, so that those of one moment do not come back together. */
const NO_SLOT_MS = { min: 500, max: 1_500 };
const STOPPED_MS = { min: 1_000, max: 5_000 };

export interface GateDeps {
  slots: Pick<SendSlots, 'take'>;
  stops: Pick<FollowedStops, 'enter'>;
  clock: Clock;
}

/** What a job may do that has passed the gates: one call. */
export interface CallPass {
  /** The call is to try an open breaker; null = it is one like any other. */
  probe: Probe | null;
  /** To be called when the call begins. */
  calling(): void;
}

/**
 * Runs a sender's job behind the gates that come before its claim: what is stopped, and the slots for calls. A slot is held until after the
 * record: a claimed row never waits, and what could not be recorded yet keeps others from being called.
 */
export function passGates<Payload>(
  { slots, stops, clock }: GateDeps,
  alias: string,
  send: (payload: Payload, pass: CallPass) => Promise<Outcome>,
): (payload: Payload) => Promise<Outcome> {
  const comeBack = ({ min, max }: { min: number; max: number }) => snooze(clock.now().getTime() + min + Math.random() * (max - min));
  return async (payload) => {
    const slot = await slots.take(alias);
    if (slot === null) return comeBack(NO_SLOT_MS);
    try {
      // After the wait: a stop may have come meanwhile.
      const pass = stops.enter(alias);
      if (pass === null) return comeBack(STOPPED_MS);
      const { probe } = pass;
      return await send(payload, { probe, calling: () => slot.calling() }).finally(() => probe?.end());
    } finally {
      slot.release();
    }
  };
}
