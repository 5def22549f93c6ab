import { expect, it } from 'vitest';
import { createMetrics } from '@tickmark/runtime';
import { countMessageError } from './count-message-error.ts';

it('a known code is its own label, unknown ones share one', async () => {
  const metrics = createMetrics({ process: 'worker' });
  for (const code of [63024, 99_999_999, 12_345_678]) countMessageError(metrics, code);
  const counted = (await metrics.messageErrors.get()).values.filter(({ value }) => value > 0);
  expect(counted.map(({ labels, value }) => [labels.code, labels.class, value])).toEqual([
    ['63024', 'recipient', 1],
    ['other', 'permanent', 2],
  ]);
});
