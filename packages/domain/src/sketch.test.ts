import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bucketOf, percentileOf, SKETCH_ERROR, type Sketch } from './sketch.ts';

/** Up to 40 days, in the sizes that latencies have: each order of magnitude as often as the next. */
const latency = fc.double({ min: -1, max: 9.54, noNaN: true }).map((power) => Math.floor(10 ** power));
const latencies = fc.array(latency, { minLength: 1, maxLength: 300 });
const share = fc.constantFrom(0, 0.01, 0.5, 0.95, 0.99, 1);

function sketchOf(values: readonly number[]): Map<number, number> {
  const sketch = new Map<number, number>();
  for (const value of values) sketch.set(bucketOf(value), (sketch.get(bucketOf(value)) ?? 0) + 1);
  return sketch;
}

function merge(a: Sketch, b: Sketch): Sketch {
  const sum = new Map(a);
  for (const [bucket, count] of b) sum.set(bucket, (sum.get(bucket) ?? 0) + count);
  return sum;
}

describe('a sketch', () => {
  it('tells every percentile within its error', () => {
    fc.assert(
      fc.property(latencies, share, (values, q) => {
        const exact = values.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(q * values.length)) - 1] ?? NaN;
        const told = percentileOf(sketchOf(values), q) ?? NaN;
        expect(Math.abs(told - exact)).toBeLessThanOrEqual(exact * SKETCH_ERROR * (1 + 1e-9));
      }),
      { numRuns: 2_000 },
    );
  });

  it('of two sets is the sum of their sketches', () => {
    fc.assert(
      fc.property(latencies, latencies, (a, b) => {
        expect(merge(sketchOf(a), sketchOf(b))).toEqual(sketchOf([...a, ...b]));
      }),
    );
  });

  it.each([
    [0, -1],
    [-5, -1],
    [1, 0],
    [2, 18],
    [1_000, 173],
  ])('has %i ms in bucket %i', (ms, bucket) => {
    expect(bucketOf(ms)).toBe(bucket);
  });

  it('tells nothing when it is empty, also by subtraction', () => {
    expect(percentileOf(new Map(), 0.5)).toBeNull();
    expect(percentileOf(new Map([[3, 0]]), 0.5)).toBeNull();
  });
});
