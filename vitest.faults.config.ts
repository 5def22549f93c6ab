import { mergeConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** Tests that kill processes or measure, one after the other: slow by nature, and kept out of `npm test`. */
export default mergeConfig(
  { ...base, test: { ...base.test, include: [], exclude: [] } },
  { test: { include: ['{packages,apps}/*/src/**/*.faults.test.ts', 'tests/**/*.faults.test.ts'], testTimeout: 120_000, maxWorkers: 1 } },
);
