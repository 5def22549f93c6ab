import { systemClock } from '@tickmark/runtime';
import { expect, it } from 'vitest';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { measureClockSkew } from './measure-clock-skew.ts';

const room = deliveryRoom();

it.each([
  ['is as far ahead as it is', 90_000],
  ['is as far behind as it is', -90_000],
  ['of the same machine differs by nothing', 0],
])('a clock that %s, within the error that is told', async (_name, aheadMs) => {
  const clock = { ...systemClock, now: () => new Date(Date.now() + aheadMs) };
  const { skewMs, errorMs } = await measureClockSkew(room.db, clock);
  // Clocks here count whole milliseconds.
  expect(Math.abs(skewMs - aheadMs)).toBeLessThanOrEqual(errorMs + 2);
});
