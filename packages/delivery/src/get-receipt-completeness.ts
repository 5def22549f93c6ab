import { AppError, rateOf, type MessageStatus, type Rate } from '@tickmark/domain';
import type { Database } from './database.ts';
import { explainMissing } from './explain-missing.ts';
import { countReceipts, listMissing, type MissingPosition, type ReceiptCounts } from './read-receipts.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

/** Counted from the messages themselves: a week of a busy platform is some seconds of work. */
const DAYS_MAX = 8;

/** Read with one statement. */
const SLICE_MS = 3_600_000;

export interface ReceiptCompletenessInput {
  /** Default: 24 hours before `until`. */
  since?: Date | undefined;
  /** Default: now. */
  until?: Date | undefined;
  /** Receipts count that came so many minutes after Twilio took the message; default 15. Younger messages are left out. */
  withinMinutes?: number | undefined;
  /** Alias. */
  sender?: string | undefined;
  /** Content SID, or `none` for messages without a template. */
  template?: string | undefined;
  /** Missing ones listed at most; default 50. */
  limit?: number | undefined;
  /** Where the list goes on. */
  after?: MissingPosition | undefined;
}

/** Messages that Twilio took at least `withinMinutes` ago, and of how many of them a receipt came in that time. */
export interface ReceiptShares {
  accepted: number;
  /** Of how many we heard more than that Twilio has it: sent, arrived, or ended. */
  first: Rate;
  /** Of how many we heard how they ended: delivered, read, failed, undelivered or canceled. */
  final: Rate;
  /** The final receipt came, but later. */
  late: number;
  /** No final receipt came at all. */
  missing: number;
}

/** Times are ISO 8601 in UTC. */
export interface MissingReceipt {
  id: string;
  messageSid: string;
  sender: string | null;
  template: string | null;
  status: MessageStatus;
  createdAt: string;
  acceptedAt: string;
  sentAt: string | null;
  /** When Twilio was last asked about it, its word for the status (or `gone`, `failed`), and when it is asked next. */
  reconciler: { askedAt: string | null; answer: string | null; nextAt: string | null };
  /** The same as a sentence for people, and what to do. */
  why: string;
}

export interface ReceiptCompleteness extends ReceiptShares {
  since: string;
  until: string;
  withinMinutes: number;
  groups: ({ sender: string | null; template: string | null } & ReceiptShares)[];
  /** The oldest first. */
  missingMessages: MissingReceipt[];
  /** Null when these were all. */
  next: MissingPosition | null;
}

/**
 * How completely Twilio tells us what becomes of messages: the share of those that came from `since` to `until`, by `created_at` and to the
 * millisecond, of which a first and a final receipt came in time, per sender and template, and those of which no final one came at all, with what is
 * known about why. Messages that others sent are left out.
 *
 * Read from the messages, hour by hour: exact, and safe to repeat.
 *
 * @throws AppError VALIDATION_FAILED when the range is empty or longer than 8 days
 */
export async function getReceiptCompleteness(
  { db }: { db: Pick<Database, 'sql'> },
  {
    until = new Date(),
    since = new Date(until.getTime() - DAY_MS),
    withinMinutes = 15,
    limit = 50,
    after,
    ...filter
  }: ReceiptCompletenessInput = {},
): Promise<ReceiptCompleteness> {
  if (since >= until) refuse('since must lie before until');
  if (until.getTime() - since.getTime() > DAYS_MAX * DAY_MS) refuse(`more than ${DAYS_MAX} days: ask for less at a time`);
  const question = { ...filter, withinMs: withinMinutes * MINUTE_MS };
  const groups = new Map<string, ReceiptCounts>();
  const missing = [];
  for (const slice of slicesOf(since, until)) {
    // oxlint-disable-next-line no-await-in-loop -- one after the other, so that none takes long and all are read in order
    for (const counts of await countReceipts(db, slice, question)) addCounts(groups, counts);
    const isBehind = after === undefined || after.createdAt < slice.until;
    // One more than asked for, to know whether there are more.
    // oxlint-disable-next-line no-await-in-loop -- as above
    if (isBehind && missing.length <= limit)
      missing.push(...(await listMissing(db, slice, { ...question, after, limit: limit + 1 - missing.length })));
  }
  const counts = [...groups.values()];
  const listed = missing.slice(0, limit);
  const last = listed.at(-1);
  return {
    since: since.toISOString(),
    until: until.toISOString(),
    withinMinutes,
    ...sharesOf(counts.reduce(sum, NO_COUNTS)),
    groups: counts
      .map((group) => ({ sender: group.sender, template: group.template, ...sharesOf(group) }))
      .toSorted((a, b) => b.missing - a.missing || b.accepted - a.accepted),
    missingMessages: listed.map(explainMissing),
    next: missing.length > limit && last ? { createdAt: last.createdAt, id: last.id } : null,
  };
}

function refuse(message: string): never {
  throw new AppError('VALIDATION_FAILED', `Correct since: ${message}.`, { details: [{ path: 'since', message }] });
}

function* slicesOf(since: Date, until: Date): Generator<{ since: Date; until: Date }> {
  for (let start = since.getTime(); start < until.getTime(); start += SLICE_MS) {
    yield { since: new Date(start), until: new Date(Math.min(start + SLICE_MS, until.getTime())) };
  }
}

const NO_COUNTS: ReceiptCounts = { sender: null, template: null, accepted: 0, first: 0, final: 0, late: 0, missing: 0 };

function addCounts(groups: Map<string, ReceiptCounts>, counts: ReceiptCounts): void {
  const key = JSON.stringify([counts.sender, counts.template]);
  groups.set(key, sum(groups.get(key) ?? { ...NO_COUNTS, sender: counts.sender, template: counts.template }, counts));
}

function sum(a: ReceiptCounts, b: ReceiptCounts): ReceiptCounts {
  return {
    ...a,
    accepted: a.accepted + b.accepted,
    first: a.first + b.first,
    final: a.final + b.final,
    late: a.late + b.late,
    missing: a.missing + b.missing,
  };
}

function sharesOf({ accepted, first, final, late, missing }: ReceiptCounts): ReceiptShares {
  return { accepted, first: rateOf(first, accepted), final: rateOf(final, accepted), late, missing };
}
