import { listSenders, type Database, type SenderRow } from '@tickmark/delivery';
import type { Clock, Logger } from '@tickmark/runtime';
import type { QueueWorker, SenderPace } from '@tickmark/queues';
import type { DatabaseBreaker } from './database-breaker.ts';
import { waited } from './waited.ts';

/**
 * How often the table `senders` is read and each queue is told its pace, whether or not it changed: a wiped Redis has forgotten it. Always
 * both together: a process that repeated what it read a while ago would undo what others have read since.
 */
const REFRESH_MS = 5_000;

/** How often a sender is tried that could not be started because Redis did not take its pace. */
const TICK_MS = 1_000;

/** For a sender that has messages and no row: certainly allowed, and soon put right by whoever wonders. */
const MPS_WITHOUT_ROW = 10;

export interface SenderWorkersDeps {
  db: Pick<Database, 'sql'>;
  breaker: Pick<DatabaseBreaker, 'report'>;
  pace: Pick<SenderPace, 'assert' | 'assertIfNone'>;
  /** Told the pace of each sender that is consumed. */
  onPace: (alias: string, mps: number) => void;
  /** Makes the worker of one sender's queue. */
  startWorker: (alias: string) => QueueWorker;
  clock: Pick<Clock, 'monotonicMs'>;
  log: Logger;
  refreshMs?: number | undefined;
}

export interface SenderWorkers {
  /** Brings the workers and their paces in line with the table `senders`, and keeps them so; before the first call no queue is consumed. */
  start(): Promise<void>;
  /** Tells a Redis that has forgotten them the paces. Rejects when they could not be read, or Redis did not take them. */
  reassert(): Promise<void>;
  /** Takes up senders that have messages, whether or not the table knows them. */
  consume(aliases: Iterable<string>): void;
  /** Pauses the senders that are stopped, and resumes the others. */
  followStops(isStopped: (alias: string) => boolean): void;
  /** Says how many jobs the sender's worker should have taken at a time. */
  setConcurrency(alias: string, concurrency: number): void;
  aliases(): string[];
  close(deadlineMs: number): Promise<void>;
}

interface Consumed {
  /** Null: it has no row, and keeps the pace that its queue has. */
  mps: number | null;
  state: SenderRow['state'];
  /** Absent until its queue has a pace: before that it could run away. */
  worker: QueueWorker | undefined;
  paused: boolean;
}

/**
 * One worker per sender: a sender's backlog or outage never delays another. The table `senders` is right about pace and state, and is read
 * again every 5 s; a sender once consumed stays so, because removing it must strand nothing.
 */
export function createSenderWorkers(deps: SenderWorkersDeps): SenderWorkers {
  const { db, breaker, pace, clock, log } = deps;
  const senders = new Map<string, Consumed>();
  const stop = new AbortController();
  let isStopped = (_alias: string) => false;
  let readMs = Number.NEGATIVE_INFINITY;
  let ticking: Promise<void> | undefined;

  const followStates = () => {
    for (const [alias, sender] of senders) {
      const paused = sender.state === 'paused' || isStopped(alias);
      if (sender.worker === undefined || paused === sender.paused) continue;
      sender.paused = paused;
      if (paused) sender.worker.pause('sender');
      else sender.worker.resume('sender');
      log.info({ sender: alias }, paused ? 'sender paused' : 'sender resumed');
    }
  };

  const assertPaces = async () => {
    const all = [...senders].map(([alias, { mps }]) => ({ alias, mps: mps ?? MPS_WITHOUT_ROW, known: mps !== null }));
    await pace.assert(all.filter(({ known }) => known));
    await pace.assertIfNone(all.filter(({ known }) => !known));
    for (const { alias, mps } of all) deps.onPace(alias, mps);
    const fresh = [...senders].filter(([, { worker }]) => worker === undefined);
    if (fresh.length === 0 || ticking === undefined || stop.signal.aborted) return;
    for (const [alias, sender] of fresh) sender.worker = deps.startWorker(alias);
    followStates();
    log.info({ senders: senders.size }, 'sender queues consumed');
  };

  const readTable = async () => {
    takeRows(senders, await listSenders(db));
    followStates();
    readMs = clock.monotonicMs();
  };

  /** Redis's troubles are not the table's: what it could not be told now it is told a moment later. */
  const tellPaces = () => assertPaces().catch((error: unknown) => log.warn({ err: error }, PACE_NOT_TAKEN));

  const tick = async () => {
    const isDue = clock.monotonicMs() - readMs >= (deps.refreshMs ?? REFRESH_MS);
    if (!isDue && [...senders.values()].every(({ worker }) => worker !== undefined)) return;
    try {
      await readTable();
      await tellPaces();
    } catch (error) {
      await breaker.report(error, 'senders could not be read: the known ones go on');
    }
  };

  const tickOn = async () => {
    while (await waited(Math.min(TICK_MS, deps.refreshMs ?? TICK_MS), stop.signal)) await tick();
  };

  return {
    start: async () => {
      await readTable();
      ticking ??= tickOn();
      await tellPaces();
    },
    reassert: async () => {
      await readTable();
      await assertPaces();
    },
    consume: (aliases) => {
      for (const alias of aliases)
        if (!senders.has(alias)) senders.set(alias, { mps: null, state: 'active', worker: undefined, paused: false });
    },
    followStops: (next) => {
      isStopped = next;
      followStates();
    },
    setConcurrency: (alias, concurrency) => senders.get(alias)?.worker?.setConcurrency(concurrency),
    aliases: () => [...senders].flatMap(([alias, { worker }]) => (worker === undefined ? [] : [alias])),
    close: async (deadlineMs) => {
      stop.abort();
      const closing = [...senders.values()].map(async ({ worker }) => worker?.close(deadlineMs));
      await Promise.all([ticking, ...closing]);
    },
  };
}

const PACE_NOT_TAKEN = 'redis did not take the pace of the senders: those that run go on, others wait';

function takeRows(senders: Map<string, Consumed>, rows: readonly SenderRow[]): void {
  // Nobody can change or resume a sender that has no row.
  for (const sender of senders.values()) Object.assign(sender, { mps: null, state: 'active' } satisfies Partial<Consumed>);
  for (const { alias, mps, state } of rows) {
    const known = senders.get(alias);
    senders.set(alias, { worker: known?.worker, paused: known?.paused ?? false, mps, state });
  }
}
