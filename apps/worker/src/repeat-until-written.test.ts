import { expect, it } from 'vitest';
import { systemClock, type Clock } from '@tickmark/runtime';
import { repeatUntilWritten } from './repeat-until-written.ts';

const away = () => Object.assign(new Error('terminating connection'), { code: '57P01' });

it('repeats while the database is away and gives the result when it is back', async () => {
  let calls = 0;
  const write = () => (++calls < 3 ? Promise.reject(away()) : Promise.resolve('written'));
  expect(await repeatUntilWritten(write, systemClock)).toBe('written');
  expect(calls).toBe(3);
});

it('gives up after five seconds with the last error', async () => {
  let nowMs = 0;
  const clock: Clock = { now: () => new Date(), monotonicMs: () => (nowMs += 3_000) };
  await expect(repeatUntilWritten(() => Promise.reject(away()), clock)).rejects.toMatchObject({ code: '57P01' });
});

it('does not repeat what the data caused', async () => {
  let calls = 0;
  const write = () => {
    calls++;
    return Promise.reject(Object.assign(new Error('invalid'), { code: '22P02' }));
  };
  await expect(repeatUntilWritten(write, systemClock)).rejects.toMatchObject({ code: '22P02' });
  expect(calls).toBe(1);
});
