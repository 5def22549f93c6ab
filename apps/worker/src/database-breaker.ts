import { checkDatabase, type Database } from '@tickmark/delivery';
import type { QueueWorker } from '@tickmark/queues';
import type { Clock, Logger } from '@tickmark/runtime';
import { isDatabaseAway } from './is-database-away.ts';
import { waited } from './waited.ts';

/** How often the database is looked at while it is away, and at most while it is suspected. */
const PROBE_MS = 1_000;

/** What was asked during an outage may fail as late as this after its end: the longest that a batch is waited for, repeated. */
const AFTERMATH_MS = 15_000;

/** Why a worker is paused, among the reasons that others have. */
const PAUSE_REASON = 'database';

export interface DatabaseBreaker {
  /** Does work that needs the database. Its error comes through; one that says that the database is away makes the breaker look. */
  watch<R>(work: () => Promise<R>): Promise<R>;
  /**
   * Whether an error comes of an outage that the breaker tells of itself; looks, if nobody has. An error of a database that answers
   * (a statement that takes too long, say) is for those to tell who met it.
   */
  explains(error: unknown): Promise<boolean>;
  /** Logs a warning, unless the breaker explains the error. */
  report(error: unknown, message: string): Promise<void>;
  /** Takes a worker into its care; one that comes while the database is away is paused at once. */
  care(worker: Pick<QueueWorker, 'pause' | 'resume'>): void;
  /** Why no jobs are taken; null while the database is there. */
  reason(): string | null;
  /** Looks no more; what is paused stays so. */
  close(): Promise<void>;
}

/**
 * Keeps a process from taking jobs that it cannot do: an error that says that the database is away makes it look, and when the database does
 * not answer, every worker in its care is paused until it does. Of an outage it makes two lines in the log, not one per job. A single broken
 * connection, a deadlock or a lock time-out of a database that answers pauses nothing.
 */
export function createDatabaseBreaker(
  { db, clock, log }: { db: Pick<Database, 'sql'>; clock: Pick<Clock, 'monotonicMs'>; log: Logger },
  probeMs: number = PROBE_MS,
): DatabaseBreaker {
  const workers = new Set<Pick<QueueWorker, 'pause' | 'resume'>>();
  const stop = new AbortController();
  let reason: string | null = null;
  let looking: Promise<void> | undefined;
  let outage: Promise<void> | undefined;
  let lookedMs = Number.NEGATIVE_INFINITY;
  let backMs = Number.NEGATIVE_INFINITY;

  const untilBack = async () => {
    const startedMs = clock.monotonicMs();
    log.warn({ reason }, 'database away: no jobs are taken until it is back');
    for (const worker of workers) worker.pause(PAUSE_REASON);
    while (reason !== null) {
      if (!(await waited(probeMs, stop.signal))) return;
      reason = await whyAway(db);
    }
    backMs = clock.monotonicMs();
    for (const worker of workers) worker.resume(PAUSE_REASON);
    log.info({ awayMs: Math.round(backMs - startedMs) }, 'database back: jobs are taken again');
  };
  const look = async () => {
    reason = await whyAway(db);
    lookedMs = clock.monotonicMs();
    if (reason !== null) outage = untilBack();
  };
  /** Of many errors at once one makes it look; resolves when it has looked. */
  const suspect = async () => {
    const isKnown = reason !== null || clock.monotonicMs() - lookedMs < probeMs;
    if (!isKnown && !stop.signal.aborted) {
      looking ??= look().finally(() => {
        looking = undefined;
      });
    }
    await looking;
  };
  const explains = async (error: unknown) => {
    if (!isDatabaseAway(error)) return false;
    await suspect();
    return reason !== null || clock.monotonicMs() - backMs < AFTERMATH_MS;
  };

  return {
    watch: async (work) => {
      try {
        return await work();
      } catch (error) {
        if (isDatabaseAway(error)) void suspect();
        throw error;
      }
    },
    explains,
    report: async (error, message) => {
      if (!(await explains(error))) log.warn({ err: error }, message);
    },
    care: (worker) => {
      workers.add(worker);
      if (reason !== null) worker.pause(PAUSE_REASON);
    },
    reason: () => reason,
    close: async () => {
      stop.abort();
      await looking;
      await outage;
    },
  };
}

async function whyAway(db: Pick<Database, 'sql'>): Promise<string | null> {
  try {
    const check = await checkDatabase(db);
    return check.ok ? null : check.reason;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
