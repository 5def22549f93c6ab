import { measureClockSkew, type Database } from '@tickmark/delivery';
import type { Clock, Logger, Metrics } from '@tickmark/runtime';
import type { DatabaseBreaker } from './database-breaker.ts';
import { waited } from './waited.ts';

const MEASURE_MS = 10_000;

/** More than this is a fault of a machine: clocks that are kept by NTP differ by milliseconds. */
const SKEW_MS_MAX = 2_000;

/** What was measured over a slower answer says nothing. */
const ERROR_MS_MAX = 1_000;

const WHAT_TO_DO =
  'clock of this machine and of the database differ: let NTP set both; until then messages may leave late and their times are wrong, never early';

export interface ClockSkewDeps {
  db: Pick<Database, 'sql'>;
  breaker: Pick<DatabaseBreaker, 'report'>;
  clock: Clock;
  metrics: Pick<Metrics, 'clockSkew'>;
  log: Logger;
}

export interface ClockSkewWatch {
  measure(): Promise<void>;
  close(): Promise<void>;
}

/** Shows by how much this process's clock and the database's differ, measured every 10 s, and says so once when it is too much. */
export function watchClockSkew(deps: ClockSkewDeps, { measureMs = MEASURE_MS }: { measureMs?: number } = {}): ClockSkewWatch {
  const { db, breaker, clock, metrics, log } = deps;
  const stop = new AbortController();
  let skewed = false;

  const measure = async () => {
    const { skewMs, errorMs } = await measureClockSkew(db, clock);
    if (errorMs > ERROR_MS_MAX) return;
    const skewSeconds = Math.round(skewMs) / 1000;
    metrics.clockSkew.set(skewSeconds);
    // Only what is certain changes anything, so that a slow answer is no alarm and no end of one.
    if (!skewed && Math.abs(skewMs) - errorMs > SKEW_MS_MAX) {
      skewed = true;
      log.warn({ skewSeconds }, WHAT_TO_DO);
    } else if (skewed && Math.abs(skewMs) + errorMs <= SKEW_MS_MAX) {
      skewed = false;
      log.info({ skewSeconds }, 'clocks of this machine and of the database agree again');
    }
  };
  const measuring = (async () => {
    while (await waited(measureMs, stop.signal)) {
      await measure().catch((error: unknown) => breaker.report(error, 'clock of the database could not be read'));
    }
  })();

  return {
    measure,
    close: async () => {
      stop.abort();
      await measuring;
    },
  };
}
