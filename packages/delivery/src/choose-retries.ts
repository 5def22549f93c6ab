import type { MessageStatus } from '@tickmark/domain';
import { inStatement, type Database } from './database.ts';
import { judgeRetries, type RetrySkip } from './judge-retries.ts';
import { listMessages, type MessagePosition } from './list-messages.ts';
import type { MessageFilter } from './message-filter.ts';

const PAGE_ITEMS = 500;

/** Looked at per statement, mostly in vain: failures are rare. */
const PAGE_ROWS_MAX = 50_000;

/** Somebody waits for the answer. */
const BUDGET_MS = 8_000;

/** What can be sent again at all: where a filter names no status, these are meant. */
const RETRYABLE: readonly MessageStatus[] = ['failed', 'undelivered', 'expired'];

export interface RetryChoice {
  /** Messages that fit the filter, as far as was looked. */
  matched: number;
  /** Those that may be sent again now, `countMax` at most. */
  ids: string[];
  /** All others that fit. */
  skipped: { id: string; why: RetrySkip }[];
  /** False: there may be more that fit, because `countMax` was reached or the search took too long. */
  complete: boolean;
}

/**
 * Chooses the messages that a filter means and that may be sent again, the newest first; what is given to `retryFailedMessages` then is what
 * was shown. Never a retry: it fits the filter of the message that it repeats, so the same people would get one more with each request.
 * Changes nothing. Ends after some eight seconds with what it has.
 */
export async function chooseRetries(
  db: Pick<Database, 'sql'>,
  { filter, countMax, force }: { filter: MessageFilter; countMax: number; force: boolean },
): Promise<RetryChoice> {
  const choice: RetryChoice = { matched: 0, ids: [], skipped: [], complete: false };
  const untilMs = performance.now() + BUDGET_MS;
  const meant = { ...filter, status: filter.status ?? RETRYABLE };
  let after: MessagePosition | null = null;
  while (performance.now() < untilMs) {
    const page: Awaited<ReturnType<typeof listMessages>> = await listMessages(
      { db },
      { filter: meant, after, limit: PAGE_ITEMS, rowsLookedAtMax: PAGE_ROWS_MAX },
    );
    const ids = page.items.map(({ id }) => id);
    const judged = await inStatement(db.sql, (sql) => judgeRetries(sql, ids, { force, requestId: null, lock: false }));
    const retries = new Set(page.items.flatMap(({ id, retryOf }) => (retryOf === null ? [] : [id])));
    for (const { id, why: objection } of judged) {
      const why = retries.has(id) ? 'is_retry' : objection;
      if (why === null && choice.ids.length === countMax) return choice;
      choice.matched += 1;
      if (why === null) choice.ids.push(id);
      else choice.skipped.push({ id, why });
    }
    after = page.next;
    if (after === null) return { ...choice, complete: true };
  }
  return choice;
}
