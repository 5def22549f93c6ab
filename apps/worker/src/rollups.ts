import { foldDeliveryMetrics, readSenderCompleteness, refreshPhonePerformance, type Database } from '@tickmark/delivery';
import type { Metrics } from '@tickmark/runtime';
import type { DatabaseBreaker } from './database-breaker.ts';
import { repeatPasses } from './passes.ts';

/** Questions add what is not folded yet, so this only keeps that little. */
const FOLD_INTERVAL_MS = 10_000;

/** By then most messages have come as far as they do today, and their recipients are looked at once. */
const PHONES_INTERVAL_MS = 60_000;

/** It changes with the hours that it is about. */
const SHARES_INTERVAL_MS = 60_000;

export interface RollupsDeps {
  db: Database;
  breaker: Pick<DatabaseBreaker, 'report' | 'reason'>;
  metrics: Pick<Metrics, 'receiptCompleteness'>;
}

/** Folds the changes of the metrics and refreshes the figures of phones until closed; with several workers each pass is done by one. */
export function startRollups({ db, breaker, metrics }: RollupsDeps, intervalMs = FOLD_INTERVAL_MS): { close(): Promise<void> } {
  const times = (ms: number) => (intervalMs * ms) / FOLD_INTERVAL_MS;
  const passes = [
    repeatPasses((signal) => foldDeliveryMetrics(db, { signal }), { breaker, intervalMs, failure: 'delivery metrics could not be folded' }),
    repeatPasses((signal) => refreshPhonePerformance(db, { signal }), {
      breaker,
      intervalMs: times(PHONES_INTERVAL_MS),
      failure: 'the figures of phones could not be refreshed',
    }),
    // In each process: a gauge that only one of them sets would go stale in the others.
    repeatPasses(() => showCompleteness(db, metrics), {
      breaker,
      intervalMs: times(SHARES_INTERVAL_MS),
      failure: 'the completeness of receipts could not be measured',
    }),
  ];
  return {
    close: async () => {
      await Promise.all(passes.map((pass) => pass.stop()));
    },
  };
}

async function showCompleteness(db: Database, { receiptCompleteness }: RollupsDeps['metrics']): Promise<void> {
  const shares = await readSenderCompleteness(db);
  // A sender that has sent nothing for a day has no share any more.
  receiptCompleteness.reset();
  for (const { sender, share } of shares) if (share.value !== null) receiptCompleteness.set({ sender }, share.value);
}
