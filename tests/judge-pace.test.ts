// The judge of the pace must be able to say "too fast".
import { expect, it } from 'vitest';
import { findWorstWindow } from './support/judge-pace.ts';

const SECOND = { windowMs: 1_000, ratioMax: 1.25, graceMs: 0 };

/** So many per second, evenly, from one second to another. */
const evenly = (mps: number, fromSeconds: number, toSeconds: number) =>
  Array.from({ length: mps * (toSeconds - fromSeconds) }, (_item, index) => 1000 * (fromSeconds + (index + 0.5) / mps));

const ratioOf = (timesMs: readonly number[], changes: { atMs: number; mps: number }[], rule = SECOND) =>
  Number(findWorstWindow(timesMs, changes, rule).ratio.toFixed(2));

it('what leaves evenly at its pace is at 1 of it, whatever the window', () => {
  const timesMs = evenly(100, 0, 20);
  expect(ratioOf(timesMs, [{ atMs: 0, mps: 100 }])).toBeCloseTo(1, 1);
  expect(ratioOf(timesMs, [{ atMs: 0, mps: 100 }], { ...SECOND, windowMs: 10_000 })).toBeCloseTo(1, 1);
});

it('a lump within one second is found, wherever it lies and whatever its windows', () => {
  const timesMs = [...evenly(40, 0, 9), ...Array.from({ length: 30 }, () => 4_321)].toSorted((a, b) => a - b);
  expect(ratioOf(timesMs, [{ atMs: 0, mps: 40 }])).toBeCloseTo(70 / 40, 1);
  expect(findWorstWindow(timesMs, [{ atMs: 0, mps: 40 }], SECOND).count).toBeGreaterThanOrEqual(70);
});

it('a window across a change is judged by both paces, each for its part', () => {
  const changes = [
    { atMs: 0, mps: 80 },
    { atMs: 5_000, mps: 40 },
  ];
  expect(ratioOf([...evenly(80, 0, 5), ...evenly(40, 5, 10)], changes)).toBeCloseTo(1, 1);
  expect(ratioOf(evenly(80, 0, 10), changes)).toBeCloseTo(2, 1);
});

it('the former pace is allowed for a while, and not a moment longer', () => {
  const changes = [
    { atMs: 0, mps: 80 },
    { atMs: 5_000, mps: 40 },
    { atMs: 15_000, mps: 120 },
  ];
  const late = [...evenly(80, 0, 8), ...evenly(40, 8, 15), ...evenly(120, 15, 20)];
  expect(ratioOf(late, changes)).toBeCloseTo(2, 1);
  expect(ratioOf(late, changes, { ...SECOND, graceMs: 3_000 })).toBeCloseTo(1, 1);
  const never = [...evenly(80, 0, 15), ...evenly(120, 15, 20)];
  expect(ratioOf(never, changes, { ...SECOND, graceMs: 3_000 })).toBeCloseTo(2, 1);
});
