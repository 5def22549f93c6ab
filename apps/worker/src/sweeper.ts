import {
  expireOverdue,
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
import { enqueueOpenTasks } from './enqueue-open-tasks.ts';
import { enqueueWaiting } from './enqueue-waiting.ts';
import { handOverWaiting, type HandOverInboundDeps } from './hand-over-inbound.ts';
import { checkRedisEpoch } from './redis-epoch.ts';
import { returnDeadLetters } from './return-dead-letters.ts';
import type { StatusNews } from './status-news.ts';
import { waited } from './waited.ts';

const INTERVAL_MS = 5_000;

/** How often each process asks Redis who it is: the longest that a wiped one goes unnoticed. */
const EPOCH_MS = 1_000;

/** Longer than fence, call and record together can take: a claim of this age has lost its worker. */
const STALE_SENDING_SECONDS = 60;

/** Rows that one pass looks at; the next one goes on behind them. Of a wiped Redis it looks at all. */
const PASS_ROWS_MAX = 20_000;

export interface SweeperDeps extends HandOverInboundDeps {
  db: Database;
  producers: Producers;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
  news?: Pick<StatusNews, 'changed'>;
  /** Told which senders have waiting messages, as far as a pass looked. */
  onSenders?: (aliases: ReadonlySet<string>) => void;
  /** Tells a wiped Redis what else it has to know, above all the senders' paces, before it is given their jobs. */
  reassert?: () => Promise<void>;
}

export interface Sweep {
  stale: number;
  expired: number;
  enqueued: number;
  /** Inbound messages that consumers had not been given. */
  handedOver: number;
  /** The epoch of Redis at its end. */
  epoch: string;
  /** Where the next pass goes on. */
  next: SweepCursor;
}

/** The two walks that a pass may not finish; nothing = from the front. */
export interface SweepCursor {
  waiting: WaitingCursor | undefined;
  parked: ParkedCursor | null;
}

/**
 * One pass, by one process at a time: stale claims become `unknown`, what waits or is held beyond its validity `expired`, rows parked under a
 * stop that is over wait again, waiting rows without a job get one: some thousands of them, or all when Redis was wiped. Dead letters that an
 * operator wants tried again go back to their queues, tasks that lost their jobs get one; inbound messages that no consumer was given are
 * handed over.
 *
 * @returns null when another process sweeps. Safe to repeat at any time: a job that is there already stays as it is.
 */
export async function sweepOnce(deps: SweeperDeps, from?: SweepCursor, signal?: AbortSignal): Promise<Sweep | null> {
  const result = await withAdvisoryLock(deps.db, 'sweeper', async () => {
    const marked = await markStaleSending(deps.db, { olderThanSeconds: STALE_SENDING_SECONDS });
    const stale = marked.length;
    deps.news?.changed(marked);
    // At once: the rest needs Redis, and it is in Redis's outages that this matters most.
    if (stale > 0) deps.metrics.messageStatus.inc({ status: 'unknown' }, stale);
    const expired = await expireOverdue(deps.db, { rowsMax: PASS_ROWS_MAX, onExpired: (ids) => deps.news?.changed(ids) });
    if (expired > 0) deps.metrics.messageStatus.inc({ status: 'expired' }, expired);
    const parked = await unparkMessages(deps.db, { after: from?.parked ?? null, rowsMax: PASS_ROWS_MAX });
    const { enqueued, epoch, next: waiting } = await giveJobs(deps, from?.waiting, signal);
    await returnDeadLetters(deps);
    await enqueueOpenTasks(deps);
    const handedOver = await handOverWaiting(deps, signal);
    return { stale, expired, enqueued, handedOver, epoch, next: { waiting, parked: parked.next } };
  });
  if (!result.ran) return null;
  const { stale, expired, enqueued, handedOver } = result.value;
  if (stale > 0 || enqueued > 0) deps.log.warn({ stale, enqueued }, 'sweep repaired rows');
  if (expired > 0) deps.log.info({ expired }, 'messages expired unsent');
  if (handedOver > 0) deps.log.info({ handedOver }, 'inbound messages that waited are handed over');
  deps.log.debug({ stale, expired, enqueued, handedOver }, 'sweep finished');
  return result.value;
}

async function giveJobs(deps: SweeperDeps, from: WaitingCursor | undefined, signal: AbortSignal | undefined) {
  const check = await checkRedisEpoch(deps);
  const walk = check.wiped ? await giveAllJobs(deps, signal) : await enqueueWaiting(deps, { from, rowsMax: PASS_ROWS_MAX, signal });
  // A full pass that was broken off is done anew, by whoever comes next.
  return { ...walk, epoch: signal?.aborted === true ? check.epoch : await check.settle() };
}

async function giveAllJobs(deps: SweeperDeps, signal: AbortSignal | undefined) {
  const told = new Set<string>();
  const onSenders = async (aliases: ReadonlySet<string>) => {
    deps.onSenders?.(aliases);
    // Before the first job of each: a queue without its pace would hand out everything at once.
    if ([...aliases].some((alias) => !told.has(alias))) await deps.reassert?.();
    for (const alias of aliases) told.add(alias);
  };
  await deps.reassert?.();
  return enqueueWaiting({ ...deps, onSenders }, { rowsMax: Infinity, signal });
}

/**
 * Sweeps every few seconds until closed, and within a second after Redis was wiped. A pass that fails is logged, and the next one starts
 * from the front.
 */
export function startSweeper(deps: SweeperDeps & { breaker: Pick<DatabaseBreaker, 'report' | 'reason'> }, intervalMs = INTERVAL_MS) {
  const { breaker, clock, producers } = deps;
  const stop = new AbortController();
  let next: SweepCursor | undefined;
  let epoch: string | undefined;
  let sweptMs = clock.monotonicMs();

  const isDue = async () => {
    if (breaker.reason() !== null) return false;
    if (clock.monotonicMs() - sweptMs >= intervalMs) return true;
    // Without Redis there is nothing to hurry for.
    const read = await producers.readEpoch().catch(() => epoch);
    epoch ??= read;
    return read !== epoch;
  };
  const sweep = async () => {
    try {
      const swept = await sweepOnce(deps, next, stop.signal);
      // While another one sweeps, maybe without having noticed a wipe, this one asks on.
      if (swept !== null) ({ next, epoch } = swept);
    } catch (error) {
      next = undefined;
      epoch = undefined;
      await breaker.report(error, 'sweep failed');
    }
    sweptMs = clock.monotonicMs();
  };
  const running = (async () => {
    while (await waited(Math.min(EPOCH_MS, intervalMs), stop.signal)) {
      if (await isDue()) await sweep();
    }
  })();
  return {
    close: async () => {
      stop.abort();
      await running;
    },
  };
}
