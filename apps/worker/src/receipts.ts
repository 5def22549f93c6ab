import { noteUnfinished, withAdvisoryLock, type Database } from '@tickmark/delivery';
import type { Producers } from '@tickmark/queues';
import type { Clock, Logger, Metrics } from '@tickmark/runtime';
import type { MessageLister } from '@tickmark/twilio';
import type { DatabaseBreaker } from './database-breaker.ts';
import { listReceipts } from './list-receipts.ts';
import { FAILURES_MAX, PASS_MS_MAX, repeatPasses } from './passes.ts';
import { pollReceipts } from './poll-receipts.ts';

const INTERVAL_MS = 60_000;

/** Messages that one statement of the walk looks at, and statements per pass: a million messages within the hour. */
const WALK_ROWS = 5_000;
const WALKS_MAX = 10;

/** Of each minute's messages without a final receipt so many are asked about early: enough to notice that no callback comes through. */
const SAMPLE = 10;

export interface ReceiptTimes {
  /** Age of a message at which the walk looks for its final receipt. */
  sampleAfterSeconds: number;
  /** Age after its call at which each message without one is asked about. */
  sureAfterSeconds: number;
  /** Age of what the daily list reads. */
  listDelaySeconds: number;
  listEverySeconds: number;
  /** Age from which a message that nobody here knows is somebody else's. */
  externalAfterSeconds: number;
}

export const RECEIPT_TIMES: ReceiptTimes = {
  sampleAfterSeconds: 900,
  sureAfterSeconds: 43_200,
  listDelaySeconds: 3_600,
  listEverySeconds: 86_400,
  externalAfterSeconds: 3_600,
};

export interface ReceiptsDeps {
  db: Database;
  producers: Pick<Producers, 'addStatusEvents'>;
  lister: MessageLister;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
}

export interface ReceiptsSettings {
  /** Questions at the same time (`RECONCILE_CONCURRENCY`). */
  concurrency: number;
  intervalMs?: number | undefined;
  times?: ReceiptTimes;
}

/** What was found out about one message; `failed`: about nothing, Twilio gave no answer. */
export type ReceiptFound = 'repaired' | 'current' | 'external' | 'gone' | 'failed';

export interface ReceiptPass extends ReceiptsDeps {
  concurrency: number;
  times: ReceiptTimes;
  isOver: () => boolean;
  tell: (found: ReceiptFound) => void;
}

/**
 * One pass over the messages whose callbacks may be lost, by one process at a time: a sample of those that have no final receipt after a quarter
 * of an hour, each of them after twelve hours, and once a day what every sender sent. All of it goes on where the last pass ended, also in
 * another process.
 *
 * @returns what was found out, by kind; null when another process is at it. Safe to repeat at any time.
 */
export async function findMissedReceipts(
  deps: ReceiptsDeps,
  { concurrency, times = RECEIPT_TIMES }: ReceiptsSettings,
  signal?: AbortSignal,
): Promise<Record<ReceiptFound, number> | null> {
  const found = { repaired: 0, current: 0, external: 0, gone: 0, failed: 0 };
  let failures = 0;
  const startMs = deps.clock.monotonicMs();
  const isOver = (msMax: number) => failures >= FAILURES_MAX || signal?.aborted === true || deps.clock.monotonicMs() - startMs >= msMax;
  const pass: ReceiptPass = {
    ...deps,
    concurrency,
    times,
    isOver: () => isOver(PASS_MS_MAX),
    tell: (kind) => {
      found[kind] += 1;
      failures = kind === 'failed' ? failures + 1 : 0;
      deps.metrics.reconciled.inc({ result: kind });
    },
  };
  const { ran } = await withAdvisoryLock(deps.db, 'receipts', async () => {
    await walk(pass);
    // More polls than the request budget allows must not keep the lists from being read, which tell the same.
    await pollReceipts({ ...pass, isOver: () => isOver(PASS_MS_MAX / 2) });
    await listReceipts(pass);
  });
  if (!ran) return null;
  if (found.repaired > 0)
    deps.log.warn(found, 'receipts had not come as callbacks and were repaired: check that PUBLIC_BASE_URL is reachable');
  else if (found.external > 0) deps.log.info(found, 'messages that others sent were found');
  return found;
}

async function walk({ db, times, isOver }: ReceiptPass): Promise<void> {
  const { sampleAfterSeconds: olderThanSeconds, sureAfterSeconds } = times;
  for (let walks = 0; walks < WALKS_MAX && !isOver(); walks += 1) {
    // Of all that this pass walks over: a backlog is no reason to ask more.
    const sample = walks === 0 ? SAMPLE : 0;
    // oxlint-disable-next-line no-await-in-loop -- each goes on where the one before ended
    if ((await noteUnfinished(db, { olderThanSeconds, sureAfterSeconds, sample, limit: WALK_ROWS })) < WALK_ROWS) return;
  }
}

/** Looks for missed receipts once a minute until closed. The lister is closed by whoever made it. */
export function startReceipts(
  deps: ReceiptsDeps & { breaker: Pick<DatabaseBreaker, 'report' | 'reason'> },
  { intervalMs = INTERVAL_MS, ...settings }: ReceiptsSettings,
): { close(): Promise<void> } {
  const passes = repeatPasses((signal) => findMissedReceipts(deps, settings, signal), {
    breaker: deps.breaker,
    intervalMs,
    failure: 'missed receipts could not be looked for',
  });
  return { close: () => passes.stop() };
}
