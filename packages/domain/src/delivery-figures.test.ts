import { expect, it } from 'vitest';
import { COUNTED_STATUSES, figuresOf, type Measures } from './delivery-figures.ts';
import { MESSAGE_STATUSES } from './statuses.ts';

it('turns counts into totals, rates with their numerators, percentiles in seconds and errors with their class', () => {
  const measures: Measures = {
    messages: 20,
    attempted: 12,
    submitted: 10,
    complete: 8,
    delivered: 4,
    read: 2,
    failed: 3,
    undelivered: 1,
    sent: 2,
    suppressed: 5,
    'error 63024': 1,
    'error 63016': 2,
    'toSent 173': 9,
    'toSent 200': 1,
    'toDelivered -1': 1,
    'toRead 3': 0,
  };
  const figures = figuresOf(measures);
  expect(figures.totals).toMatchObject({ messages: 20, pending: 3, attempted: 12, submitted: 10, delivered: 4, read: 2, held: 0 });
  expect(figures.rates).toEqual({
    delivery: { value: 0.5, numerator: 6, denominator: 12 },
    read: { value: 1 / 3, numerator: 2, denominator: 6 },
    failure: { value: 1 / 3, numerator: 4, denominator: 12 },
    completeness: { value: 0.8, numerator: 8, denominator: 10 },
  });
  expect(figures.latency.toSent).toEqual({ p50: expect.closeTo(0.993, 3), p95: expect.closeTo(2.924, 3), p99: expect.closeTo(2.924, 3) });
  expect(figures.latency.toDelivered.p50).toBe(0);
  expect(figures.latency.toRead).toEqual({ p50: null, p95: null, p99: null });
  expect(figures.errors).toEqual([
    { code: 63016, class: 'window', count: 2 },
    { code: 63024, class: 'recipient', count: 1 },
  ]);
});

it('has no rate where there is nothing to divide by', () => {
  expect(Object.values(figuresOf({}).rates)).toEqual(Array.from({ length: 4 }, () => ({ value: null, numerator: 0, denominator: 0 })));
});

it('counts every status but those that wait for a call or its answer', () => {
  const waiting = ['accepted', 'scheduled', 'retrying', 'sending'];
  expect(
    Object.keys(MESSAGE_STATUSES)
      .filter((status) => !waiting.includes(status))
      .toSorted(),
  ).toEqual([...COUNTED_STATUSES].toSorted());
});
