import { findWaiting, type Database, type WaitingCursor } from '@tickmark/delivery';
import type { Producers } from '@tickmark/queues';
import type { Clock } from '@tickmark/runtime';
import { ENQUEUE_AHEAD_MS, toSendJob } from './to-send-job.ts';

const PAGE_ROWS = 500;

export interface EnqueueWaitingDeps {
  db: Database;
  producers: Producers;
  clock: Clock;
  /** Told the senders of each page before its jobs are added. */
  onSenders?: (aliases: ReadonlySet<string>) => void | Promise<void>;
}

export interface Walk {
  /** Rows that were given a job. */
  enqueued: number;
  /** Where the next walk goes on; undefined = the end was reached. */
  next: WaitingCursor | undefined;
}

/**
 * Gives every waiting row that is due within the hour a job, unless it has one. The job only wakes: `due_at` decides, in the claim.
 *
 * @param rowsMax rows to look at, rounded up to pages; a signal ends the walk after a page
 */
export async function enqueueWaiting(
  { db, producers, clock, onSenders }: EnqueueWaitingDeps,
  { from, rowsMax, signal }: { from?: WaitingCursor | undefined; rowsMax: number; signal?: AbortSignal | undefined },
): Promise<Walk> {
  let after = from;
  let enqueued = 0;
  for (let seen = 0; seen < rowsMax; seen += PAGE_ROWS) {
    const dueBefore = new Date(clock.now().getTime() + ENQUEUE_AHEAD_MS);
    const rows = await findWaiting(db, { ...(after ? { after } : {}), limit: PAGE_ROWS, dueBefore });
    await onSenders?.(new Set(rows.map((row) => row.sender)));
    const present = await producers.hasSendJobs(rows);
    const missing = rows.filter((_row, index) => present[index] === false);
    await producers.addSend(missing.flatMap((row) => toSendJob(row, clock.now())));
    enqueued += missing.length;
    if (rows.length < PAGE_ROWS) return { enqueued, next: undefined };
    after = rows.at(-1);
    if (signal?.aborted === true) break;
  }
  return { enqueued, next: after };
}
