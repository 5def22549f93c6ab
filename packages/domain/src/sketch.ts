/** A percentile read from a sketch is off by this share of the true value at most. */
export const SKETCH_ERROR = 0.02;

/** The same number stands in the SQL function `delivery_latency_bucket`: what is stored was counted with it. */
const GAMMA = (1 + SKETCH_ERROR) / (1 - SKETCH_ERROR);

/**
 * Latencies as counts of buckets whose bounds grow by a constant factor (the sketch of DDSketch, without its limit on buckets): -1 holds those of 0 ms,
 * n those above GAMMA^(n-1) up to GAMMA^n milliseconds. Counts of two sketches add up to the sketch of both, and take away again.
 */
export type Sketch = ReadonlyMap<number, number>;

/** The bucket of a latency in whole milliseconds. */
export function bucketOf(ms: number): number {
  return ms <= 0 ? -1 : Math.ceil(Math.log(ms) / Math.log(GAMMA));
}

/** The value in the middle of a bucket, in milliseconds: within {@link SKETCH_ERROR} of all that are in it. */
export function valueOfBucket(bucket: number): number {
  return bucket < 0 ? 0 : (2 * GAMMA ** bucket) / (GAMMA + 1);
}

/**
 * The smallest latency, in milliseconds, that a share `q` (0 to 1) of all does not exceed ("nearest rank"), within {@link SKETCH_ERROR}.
 *
 * @returns null for an empty sketch
 */
export function percentileOf(sketch: Sketch, q: number): number | null {
  const buckets = [...sketch].filter(([, count]) => count > 0).toSorted(([a], [b]) => a - b);
  const total = buckets.reduce((sum, [, count]) => sum + count, 0);
  const rank = Math.max(1, Math.ceil(q * total));
  let seen = 0;
  for (const [bucket, count] of buckets) {
    seen += count;
    if (seen >= rank) return valueOfBucket(bucket);
  }
  return null;
}
