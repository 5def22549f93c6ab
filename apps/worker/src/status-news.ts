import { findToldStatuses, type Database } from '@tickmark/delivery';
import type { Producers } from '@tickmark/queues';
import type { Logger, Metrics } from '@tickmark/runtime';
import type { DatabaseBreaker } from './database-breaker.ts';
import { waited } from './waited.ts';

/** What changes within this is told together, and once per message. */
const INTERVAL_MS = 1_000;
const EVENTS_PER_JOB = 100;
/** Read by one statement. */
const READ_MAX = 1_000;

/** Messages that wait to be told; more come of an outage, after which nobody wants to hear of each. */
const PENDING_MAX = 10_000;

/** While the queue is full, one job's worth is offered this often, and the rest left out unread. */
const FULL_MS = 1_000;

/** Tells producers, by the queue `message-status`, what became of their messages. */
export interface StatusNews {
  /** Notes messages whose status changed. Costs the caller nothing. */
  changed(ids: Iterable<string>): void;
  /** Tells what is noted, and ends. */
  close(): Promise<void>;
}

export interface StatusNewsDeps {
  db: Pick<Database, 'sql'>;
  producers: Pick<Producers, 'addMessageStatus'>;
  breaker: Pick<DatabaseBreaker, 'reason'>;
  metrics: Pick<Metrics, 'statusNews'>;
  log: Logger;
}

/**
 * A convenience for producers, beside the way of a message and never in it: each status is read again when it is told, nothing is kept over a
 * restart, and what the queue has no room for is left out and counted.
 */
export function startStatusNews({ db, producers, breaker, metrics, log }: StatusNewsDeps, intervalMs = INTERVAL_MS): StatusNews {
  const stop = new AbortController();
  let pending = new Set<string>();
  let fullUntilMs = 0;

  const leaveOut = (count: number) => {
    if (count > 0) metrics.statusNews.inc({ result: 'dropped' }, count);
  };
  const tell = async (ids: readonly string[]) => {
    const events = (await findToldStatuses(db, ids)).map(({ updatedAt, ...told }) => ({ ...told, at: updatedAt.toISOString() }));
    for (let from = 0; from < events.length; from += EVENTS_PER_JOB) {
      const job = events.slice(from, from + EVENTS_PER_JOB);
      // oxlint-disable-next-line no-await-in-loop -- the queue may be full after any of them
      if (!(await producers.addMessageStatus(job))) {
        leaveOut(events.length - from);
        return false;
      }
      metrics.statusNews.inc({ result: 'told' }, job.length);
    }
    return true;
  };
  const flush = async () => {
    const ids = [...pending];
    pending = new Set();
    const isFull = performance.now() < fullUntilMs || breaker.reason() !== null;
    for (let from = isFull ? ids.length : 0; from < ids.length; from += READ_MAX) {
      const page = ids.slice(from, from + READ_MAX);
      try {
        if (await tell(page)) continue;
        leaveOut(ids.length - from - page.length);
      } catch (error) {
        // An outage, which others tell of.
        log.debug({ err: error }, 'producers could not be told of statuses');
        leaveOut(ids.length - from);
      }
      fullUntilMs = performance.now() + FULL_MS;
      return;
    }
    if (isFull) leaveOut(ids.length);
  };
  const running = (async () => {
    while (await waited(intervalMs, stop.signal)) await flush();
    await flush();
  })();

  return {
    changed: (ids) => {
      for (const id of ids) {
        if (pending.size < PENDING_MAX) pending.add(id);
        else leaveOut(1);
      }
    },
    close: async () => {
      stop.abort();
      await running;
    },
  };
}
