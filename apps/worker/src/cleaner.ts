import { deleteCancelRequests, deleteEndedStops, withAdvisoryLock, type Database } from '@tickmark/delivery';
import type { Logger } from '@tickmark/runtime';
import type { DatabaseBreaker } from './database-breaker.ts';
import { waited } from './waited.ts';

const FIRST_MS = 60_000;
const INTERVAL_MS = 3_600_000;

/** A message that comes so long after its cancellation is meant to be sent. */
const CANCEL_REQUESTS_KEPT_SECONDS = 7 * 86_400;

/** Longer than the quiet time after which a breaker's pause begins anew. */
const ENDED_STOPS_KEPT_SECONDS = 86_400;

export interface CleanerDeps {
  db: Pick<Database, 'sql'>;
  breaker: Pick<DatabaseBreaker, 'report' | 'reason'>;
  log: Logger;
}

export interface Cleaned {
  cancelRequests: number;
  stops: number;
}

/** Deletes what nothing asks for any more, in small batches. @returns null when another process cleans */
export async function cleanOnce({ db, log }: Pick<CleanerDeps, 'db' | 'log'>): Promise<Cleaned | null> {
  const result = await withAdvisoryLock(db, 'cleaner', async () => ({
    cancelRequests: await deleteCancelRequests(db, { olderThanSeconds: CANCEL_REQUESTS_KEPT_SECONDS }),
    stops: await deleteEndedStops(db, { endedForSeconds: ENDED_STOPS_KEPT_SECONDS }),
  }));
  if (!result.ran) return null;
  if (Object.values(result.value).some((count) => count > 0)) log.info(result.value, 'leftovers deleted');
  return result.value;
}

/** Cleans soon after the start and then once an hour until closed. */
export function startCleaner(deps: CleanerDeps): { close(): Promise<void> } {
  const stop = new AbortController();
  const running = (async () => {
    for (let waitMs = FIRST_MS; await waited(waitMs, stop.signal); waitMs = INTERVAL_MS) {
      if (deps.breaker.reason() !== null) continue;
      await cleanOnce(deps).catch((error: unknown) => deps.breaker.report(error, 'leftovers could not be deleted'));
    }
  })();
  return {
    close: async () => {
      stop.abort();
      await running;
    },
  };
}
