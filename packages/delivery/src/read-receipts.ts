import type { MessageStatus } from '@tickmark/domain';
import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';
import { NIL_ID } from './nil-id.ts';

interface Slice {
  since: Date;
  until: Date;
}

interface ReceiptQuestion {
  withinMs: number;
  sender?: string | undefined;
  template?: string | undefined;
}

/** Of one sender (alias) and template. */
export interface ReceiptCounts {
  sender: string | null;
  template: string | null;
  accepted: number;
  first: number;
  final: number;
  late: number;
  missing: number;
}

/** Where a list of missing receipts goes on. */
export interface MissingPosition {
  createdAt: Date;
  id: string;
}

/** A message without a final receipt, and what the poll of it brought. */
export interface MissingRow extends MissingPosition {
  messageSid: string;
  sender: string | null;
  template: string | null;
  status: MessageStatus;
  takenAt: Date;
  sentAt: Date | null;
  askedAt: Date | null;
  answer: string | null;
  dueAt: Date | null;
  over: boolean | null;
}

/** Counts receipts of the messages of a short time, by sender and template. */
export function countReceipts(db: Pick<Database, 'sql'>, slice: Slice, question: ReceiptQuestion) {
  return inStatement(
    db.sql,
    (sql) => sql<ReceiptCounts[]>`
      SELECT sender, template, count(*)::int AS accepted,
        (count(*) FILTER (WHERE LEAST(sent_at, final_at) <= in_time))::int AS first,
        (count(*) FILTER (WHERE final_at <= in_time))::int AS final,
        (count(*) FILTER (WHERE final_at > in_time))::int AS late,
        (count(*) FILTER (WHERE final_at IS NULL))::int AS missing
      FROM (${taken(sql, slice, question)}) t
      GROUP BY sender, template`,
  );
}

/** The messages of a short time that have no final receipt, the oldest first, behind a position. */
export function listMissing(
  db: Pick<Database, 'sql'>,
  slice: Slice,
  { after, limit, ...question }: ReceiptQuestion & { after: MissingPosition | undefined; limit: number },
) {
  const from = after !== undefined && after.createdAt >= slice.since ? after : { createdAt: slice.since, id: NIL_ID };
  return inStatement(
    db.sql,
    (sql) => sql<MissingRow[]>`
      SELECT t.id, t.created_at AS "createdAt", t.message_sid AS "messageSid", t.sender, t.template, t.status, t.taken_at AS "takenAt",
        t.sent_at AS "sentAt", p.asked_at AS "askedAt", p.answer, p.due_at AS "dueAt", p.over
      FROM (${taken(sql, slice, question)}) t LEFT JOIN receipt_polls p ON p.message_id = t.id
      WHERE t.final_at IS NULL
        -- An index scan starts here, not at the start of the slice: with an earlier time it would walk all that is older.
        AND (t.created_at, t.id) > (${from.createdAt}::timestamptz, ${from.id}::uuid)
      ORDER BY t.created_at, t.id LIMIT ${limit}`,
  );
}

/** Messages of ours that Twilio took long enough ago. Once it has the message, `failed_at` is a receipt. */
function taken(sql: postgres.ISql, { since, until }: Slice, { withinMs, sender, template }: ReceiptQuestion) {
  return sql`
    SELECT id, created_at, message_sid, sender, content_sid AS template, status, taken_at, sent_at,
      LEAST(delivered_at, read_at, failed_at) AS final_at, taken_at + ${withinMs} * interval '1 millisecond' AS in_time
    FROM (SELECT *, COALESCE(queued_at, claimed_at, created_at) AS taken_at FROM whatsapp_messages) m
    WHERE created_at >= ${since} AND created_at < ${until} AND message_sid IS NOT NULL AND origin <> 'external'
      AND taken_at <= now() - ${withinMs} * interval '1 millisecond'
      ${sender === undefined ? sql`` : sql`AND sender = ${sender}`}
      ${template === undefined ? sql`` : sql`AND content_sid IS NOT DISTINCT FROM ${template === 'none' ? null : template}::text`}`;
}
