import { createMetrics } from '@tickmark/runtime';
import { statusEvent } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { createCommits } from './commits.ts';

const JOB_BYTES_MAX = 262_144;

/** Takes batches as the queue does, one at a time, and remembers them. */
function recordBatches() {
  const batches: { items: readonly unknown[]; bytes: number }[] = [];
  const add = (items: readonly unknown[]) => {
    batches.push({ items, bytes: Buffer.byteLength(JSON.stringify(items)) });
    return new Promise<void>((resolve) => setImmediate(resolve));
  };
  return {
    batches,
    commits: createCommits({
      producers: { addStatusEvents: add, addInbound: add },
      metrics: createMetrics({ process: 'ingress' }),
      deadlineMs: 20_000,
    }),
  };
}

it('puts at most 500 callbacks and about 256 KiB of JSON into one job', async () => {
  const { batches, commits } = recordBatches();
  await Promise.all(Array.from({ length: 2_000 }, () => commits.statusCallback.commit(statusEvent())));
  expect(batches.reduce((sum, { items }) => sum + items.length, 0)).toBe(2_000);
  for (const { items, bytes } of batches) {
    expect(items.length).toBeLessThanOrEqual(500);
    expect(bytes).toBeLessThan(JOB_BYTES_MAX * 1.02);
  }
});

it('resolves drain only when everybody was answered', async () => {
  const { batches, commits } = recordBatches();
  const answered = Promise.all(Array.from({ length: 3 }, () => commits.statusCallback.commit(statusEvent())));
  await commits.drain();
  expect(batches.reduce((sum, { items }) => sum + items.length, 0)).toBe(3);
  await answered;
});
