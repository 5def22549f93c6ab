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

/**
 * Runs a sender's job behind the gates that come before its claim: what is stopped, and the slots for calls. A slot is held until after the
 * record: a claimed row never waits, and what could not be recorded yet keeps others from being called.
 */
export function passGates<Payload>(
  { slots, stops, clock }: GateDeps,
  alias: string,
  send: (payload: Payload, probe: Probe | null) => Promise<Outcome>,
): (payload: Payload) => Promise<Outcome> {
  const comeBack = ({ min, max }: { min: number; max: number }) => snooze(clock.now().getTime() + min + Math.random() * (max - min));
  return async (payload) => {
    const release = await slots.take(alias);
    if (release === null) return comeBack(NO_SLOT_MS);
    try {
      // After the wait: a stop may have come meanwhile.
      const pass = stops.enter(alias);
      if (pass === null) return comeBack(STOPPED_MS);
      return await send(payload, pass.probe).finally(() => pass.probe?.end());
    } finally {
      release();
    }
  };
}
