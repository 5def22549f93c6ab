import { describe, expect, test } from 'vitest';
import { createSenderPace } from './sender-pace.ts';

describe('reserve', () => {
  test('a sender without a limit never waits', () => {
    const pace = createSenderPace(() => ({ mps: {}, queueSecondsMax: 0 }));
    expect([1, 2, 3].map(() => pace.reserve('a', 0))).toEqual([0, 0, 0]);
  });

  test('messages leave at the sender’s pace, each sender for itself', () => {
    const pace = createSenderPace(() => ({ mps: { a: 4, b: 1 }, queueSecondsMax: 100 }));
    expect([1, 2, 3].map(() => pace.reserve('a', 1000))).toEqual([0, 250, 500]);
    expect([1, 2].map(() => pace.reserve('b', 1000))).toEqual([0, 1000]);
    expect(pace.reserve('a', 1600)).toBe(150);
    expect(pace.reserve('a', 9000)).toBe(0);
  });

  test('a queue that is longer than allowed takes no more, until it is shorter again', () => {
    const pace = createSenderPace(() => ({ mps: { a: 1 }, queueSecondsMax: 2 }));
    expect([1, 2, 3, 4, 5].map(() => pace.reserve('a', 0))).toEqual([0, 1000, 2000, null, null]);
    expect(pace.reserve('a', 1000)).toBe(2000);
    pace.clear();
    expect(pace.reserve('a', 1000)).toBe(0);
  });
});
