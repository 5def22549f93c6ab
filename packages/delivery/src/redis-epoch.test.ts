import { expect, it } from 'vitest';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { noteEpoch, readKnownEpoch } from './redis-epoch.ts';

const room = deliveryRoom();

it('the last epoch that was noted is known, and for how long', async () => {
  expect(await readKnownEpoch(room.db)).toBeNull();
  await noteEpoch(room.db, 'first');
  await room.db.sql`UPDATE system_state SET updated_at = updated_at - interval '1 hour'`;
  const first = await readKnownEpoch(room.db);
  expect(first?.epoch).toBe('first');
  expect(first?.ageMs).toBeGreaterThanOrEqual(3_600_000);
  await noteEpoch(room.db, 'second');
  const second = await readKnownEpoch(room.db);
  expect(second?.epoch).toBe('second');
  expect(second?.ageMs).toBeLessThan(3_600_000);
});
