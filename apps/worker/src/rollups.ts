import { foldDeliveryMetrics, refreshPhonePerformance, type Database } from '@tickmark/delivery';
import type { DatabaseBreaker } from './database-breaker.ts';
import { repeatPasses } from './passes.ts';

/** Questions add what is not folded yet, so this only keeps that little. */
const FOLD_INTERVAL_MS = 10_000;

/** By then most messages have come as far as they do today, and their recipients are looked at once. */
const PHONES_INTERVAL_MS = 60_000;

export interface RollupsDeps {
  db: Database;
  breaker: Pick<DatabaseBreaker, 'report' | 'reason'>;
}

/** Folds the changes of the metrics and refreshes the figures of phones until closed; with several workers each pass is done by one. */
export function startRollups({ db, breaker }: RollupsDeps, intervalMs = FOLD_INTERVAL_MS): { close(): Promise<void> } {
  const passes = [
    repeatPasses((signal) => foldDeliveryMetrics(db, { signal }), { breaker, intervalMs, failure: 'delivery metrics could not be folded' }),
    repeatPasses((signal) => refreshPhonePerformance(db, { signal }), {
      breaker,
      intervalMs: (intervalMs * PHONES_INTERVAL_MS) / FOLD_INTERVAL_MS,
      failure: 'the figures of phones could not be refreshed',
    }),
  ];
  return {
    close: async () => {
      await Promise.all(passes.map((pass) => pass.stop()));
    },
  };
}
