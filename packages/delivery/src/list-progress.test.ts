import { expect, it } from 'vitest';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { noteListProgress, readListProgress } from './list-progress.ts';

const room = deliveryRoom();
const DAILY = { sender: 'support', delaySeconds: 3_600, everySeconds: 86_400 };
const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);
const hoursSince = (time: Date) => (Date.now() - time.getTime()) / 3_600_000;

it('a new sender is read from now on, an hour late, a day later for the first time', async () => {
  const first = await readListProgress(room.db, DAILY);
  expect(first.until).toEqual(first.target);
  expect(hoursSince(first.target)).toBeCloseTo(1, 1);
  expect(await readListProgress(room.db, DAILY)).toEqual(first);
});

it('is due a day after the last reading, and a broken one goes on at once to where it was to end', async () => {
  await noteListProgress(room.db, 'support', { until: hoursAgo(24.9), target: hoursAgo(24.9) });
  const early = await readListProgress(room.db, DAILY);
  expect(early.until).toEqual(early.target);
  await noteListProgress(room.db, 'support', { until: hoursAgo(25.1), target: hoursAgo(25.1) });
  const { until, target } = await readListProgress(room.db, DAILY);
  expect([hoursSince(until), hoursSince(target)]).toEqual([expect.closeTo(25.1, 1), expect.closeTo(1, 1)]);
  const broken = { until: new Date(until.getTime() + 3_600_000), target };
  await noteListProgress(room.db, 'support', broken);
  expect(await readListProgress(room.db, DAILY)).toEqual(broken);
});
