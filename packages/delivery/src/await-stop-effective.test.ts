import { afterEach, expect, it } from 'vitest';
import { randomSid, waitFor } from '@tickmark/testing';
import { awaitStopEffective } from './await-stop-effective.ts';
import { accepted, deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { recordOutcome } from './record-outcome.ts';
import { openStop, type StopTarget } from './send-stops.ts';

const room = deliveryRoom({ max: 8 });

afterEach(async () => {
  await room.db.sql`TRUNCATE send_stops, whatsapp_messages`;
});

const SUMMER = { scope: 'campaign', target: 'summer' } as const;
const stopped = async (stop: StopTarget) => {
  await openStop(room.db, { ...stop, actor: 'ann', forMs: null });
};

/** Long enough for several looks. */
const aFewLooks = () => room.db.sql`SELECT pg_sleep(0.3)`;

it('is effective at once when nothing is under way', async () => {
  await room.insert({ campaign: 'summer' });
  await stopped(SUMMER);
  expect(await awaitStopEffective(room.db, SUMMER)).toEqual({ provenBy: 'sight' });
});

it('is not effective before a claim that did not see it has ended, and not before the call of that claim has', async () => {
  const { id } = await room.insert({ campaign: 'summer' });
  const holder = await room.db.sql.reserve();
  await holder`BEGIN`;
  await holder`SELECT FROM whatsapp_messages WHERE id = ${id} FOR UPDATE`;
  const claiming = room.claim(id);
  await waitFor(async () => (await waitingForLocks()) === 1, { message: 'the claim to wait with its snapshot taken' });
  await stopped(SUMMER);
  const seen: string[] = [];
  const effective = awaitStopEffective(room.db, SUMMER).then((result) => seen.push(result.provenBy));
  await aFewLooks();
  expect(seen).toEqual([]);
  await holder`COMMIT`;
  holder.release();
  const { token, answer } = await claiming;
  // This is the danger: the stop was committed before, and yet the claim is granted.
  expect(answer).toMatchObject({ kind: 'claimed' });
  await aFewLooks();
  expect(seen).toEqual([]);
  valuesOf(await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: accepted(randomSid()) }]));
  await effective;
  expect(seen).toEqual(['sight']);
});

it.each<[StopTarget, waits: boolean]>([
  [{ scope: 'all', target: '*' }, true],
  [{ scope: 'account', target: '0123456789abcdef' }, true],
  [{ scope: 'sender', target: 'support' }, true],
  [{ scope: 'template', target: 'HX1' }, true],
  [SUMMER, true],
  [{ scope: 'sender', target: 'shop' }, false],
  [{ scope: 'template', target: 'HX2' }, false],
  [{ scope: 'campaign', target: 'winter' }, false],
])('waits for the calls of its own scope alone: %o', async (stop, waits) => {
  const { id } = await room.insert({ campaign: 'summer', contentSid: 'HX1' });
  await room.claim(id);
  await stopped(stop);
  expect(await awaitStopEffective(room.db, stop, { deadlineMs: 100 })).toEqual({ provenBy: waits ? 'time' : 'sight' });
});

it('does not wait for a claim whose worker must have died', async () => {
  const { id } = await room.insert();
  await room.claim(id);
  await room.db.sql`UPDATE whatsapp_messages SET claimed_at = claimed_at - interval '17 seconds' WHERE id = ${id}`;
  await stopped({ scope: 'all', target: '*' });
  expect(await awaitStopEffective(room.db, { scope: 'all', target: '*' })).toEqual({ provenBy: 'sight' });
});

async function waitingForLocks(): Promise<number> {
  const rows = await room.db.sql`
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND backend_xmin IS NOT NULL`;
  return rows.length;
}
