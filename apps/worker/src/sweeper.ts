import {
  findWaiting,
  markStaleSending,
  unparkMessages,
  withAdvisoryLock,
  type Database,
  type ParkedCursor,
  type WaitingCursor,
} from '@tickmark/delivery';
import type { Clock, Logger, Metrics } from '@tickmark/runtime';
import type { Producers } from '@tickmark/queues';
import type { DatabaseBreaker } from './database-breaker.ts';
import { waited } from './waited.ts';
import { ENQUEUE_AHEAD_MS, toSendJob } from './processors/intake.ts';

const INTERVAL_MS = 5_000;

/** Longer than fence, call and record together can take: a claim of this age has lost its worker. */
const STALE_SENDING_SECONDS = 60;

const PAGE_ROWS = 500;

/** Rows that one pass looks at; the next one goes on behind them. */
const PASS_ROWS_MAX = 20_000;

export interface SweeperDeps {
  db: Database;
  producers: Producers;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
  /** Told which senders have waiting messages, as far as a pass looked. */
  onSenders?: (aliases: ReadonlySet<string>) => void;
}

export interface Sweep {
  stale: number;
  enqueued: number;
  /** Where the next pass goes on; undefined = from the front. */
  next: SweepCursor | undefined;
}

/** The two walks that a pass may not finish. */
export interface SweepCursor {
  waiting: WaitingCursor | undefined;
  parked: ParkedCursor | null;
}

/**
 * One pass, by one process at a time: stale claims become `unknown`, rows parked under a stop that is over wait again, waiting rows without
 * a job get one.
 *
 * @returns null when another process sweeps. Safe to repeat at any time: a job that is there already stays as it is.
 */
export async function sweepOnce(deps: SweeperDeps, from?: SweepCursor): Promise<Sweep | null> {
  const result = await withAdvisoryLock(deps.db, 'sweeper', async () => {
    const stale = await markStaleSending(deps.db, { olderThanSeconds: STALE_SENDING_SECONDS });
    // At once: the rest needs Redis, and it is in Redis's outages that this matters most.
    if (stale > 0) deps.metrics.messageStatus.inc({ status: 'unknown' }, stale);
    const parked = await unparkMessages(deps.db, { after: from?.parked ?? null, rowsMax: PASS_ROWS_MAX });
    const { enqueued, next: waiting } = await enqueueForgotten(deps, from?.waiting);
    return { stale, enqueued, next: { waiting, parked: parked.next } };
  });
  if (!result.ran) return null;
  const { stale, enqueued } = result.value;
  if (stale > 0 || enqueued > 0) deps.log.warn({ stale, enqueued }, 'sweep repaired rows');
  deps.log.debug({ stale, enqueued }, 'sweep finished');
  return result.value;
}

async function enqueueForgotten(
  { db, producers, clock, onSenders }: SweeperDeps,
  from: WaitingCursor | undefined,
): Promise<{ enqueued: number; next: WaitingCursor | undefined }> {
  let after = from;
  let enqueued = 0;
  for (let seen = 0; seen < PASS_ROWS_MAX; seen += PAGE_ROWS) {
    const dueBefore = new Date(clock.now().getTime() + ENQUEUE_AHEAD_MS);
    const rows = await findWaiting(db, { ...(after ? { after } : {}), limit: PAGE_ROWS, dueBefore });
    onSenders?.(new Set(rows.map((row) => row.sender)));
    const present = await producers.hasSendJobs(rows);
    const missing = rows.filter((_row, index) => present[index] === false);
    await producers.addSend(missing.flatMap((row) => toSendJob(row, clock.now())));
    enqueued += missing.length;
    if (rows.length < PAGE_ROWS) return { enqueued, next: undefined };
    after = rows.at(-1);
  }
  return { enqueued, next: after };
}

/** Sweeps every few seconds until closed. A pass that fails is logged, and the next one starts from the front. */
export function startSweeper(deps: SweeperDeps & { breaker: Pick<DatabaseBreaker, 'report' | 'reason'> }, intervalMs = INTERVAL_MS) {
  const { breaker } = deps;
  const stop = new AbortController();
  const running = (async () => {
    let next: SweepCursor | undefined;
    while (await waited(intervalMs, stop.signal)) {
      if (breaker.reason() !== null) continue;
      try {
        next = (await sweepOnce(deps, next))?.next;
      } catch (error) {
        next = undefined;
        await breaker.report(error, 'sweep failed');
      }
    }
  })();
  return {
    close: async () => {
      stop.abort();
      await running;
    },
  };
}
