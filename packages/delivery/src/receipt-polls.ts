import type { MessageStatus } from '@tickmark/domain';
import { inStatement, inTransaction, type Database } from './database.ts';
import { sanitizeText } from './sanitize-text.ts';
import { NIL_ID } from './nil-id.ts';

/** Where the walk over new messages has come to: `<created_at> <id>`. */
const WALKED = 'receipts_walked';

/** A first walk begins so long ago: what is older is in nobody's way any more. */
const WALK_BACK_SECONDS = 86_400;

/** What the last question brought can be read for so long. */
const TOLD_SECONDS = 30 * 86_400;

export interface WalkOptions {
  /** Messages that came longer ago than this should have a final receipt. */
  olderThanSeconds: number;
  /** How many of those that Twilio has are asked about at once, drawn at random; the rest waits for its sure poll. */
  sample: number;
  /** At this age after its call each is asked about. */
  sureAfterSeconds: number;
  /** Rows looked at. */
  limit: number;
}

/**
 * Notes the messages that have no final receipt yet although they are old enough, each once in its life: the walk goes on where the last one ended. It
 * goes by the creation of the rows, which has an index; the status has none on purpose.
 *
 * For one process at a time. Safe to repeat. @returns how many rows were looked at: fewer than `limit` = no more are old enough
 */
export function noteUnfinished(db: Pick<Database, 'sql'>, options: WalkOptions): Promise<number> {
  const { olderThanSeconds, sample, sureAfterSeconds, limit } = options;
  return inTransaction(db.sql, async (tx) => {
    const [state] = await tx<{ value: string }[]>`SELECT value FROM system_state WHERE key = ${WALKED}`;
    const [at, id = NIL_ID] = state?.value.split(' ') ?? [];
    const [walk] = await tx<{ rows: number; last: string | null }[]>`
      WITH walked AS MATERIALIZED (
        SELECT id, created_at, COALESCE(claimed_at, created_at) AS called_at, rank, origin, message_sid FROM whatsapp_messages
        WHERE (created_at, id) > (COALESCE(${at ?? null}::text::timestamptz, now() - ${WALK_BACK_SECONDS} * interval '1 second'), ${id}::uuid)
          AND created_at < now() - ${olderThanSeconds} * interval '1 second'
        ORDER BY created_at, id LIMIT ${limit}
      ), unfinished AS (
        SELECT id, called_at, row_number() OVER (ORDER BY message_sid IS NULL, random()) AS place, message_sid
        FROM walked WHERE rank < 50 AND origin <> 'external'
      ), noted AS (
        INSERT INTO receipt_polls (message_id, due_at)
        SELECT id, CASE WHEN place <= ${sample} AND message_sid IS NOT NULL THEN now()
          ELSE GREATEST(now(), called_at + ${sureAfterSeconds} * interval '1 second') END
        FROM unfinished ORDER BY id
        ON CONFLICT DO NOTHING
      )
      SELECT count(*)::int AS rows,
        (SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || ' ' || id FROM walked ORDER BY walked.created_at DESC, id DESC LIMIT 1)
          AS last
      FROM walked`;
    if (walk?.last)
      await tx`
      INSERT INTO system_state (key, value) VALUES (${WALKED}, ${walk.last})
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()`;
    return walk?.rows ?? 0;
  });
}

/** A message about which Twilio is to be asked now. */
export interface DuePoll {
  messageId: string;
  messageSid: string;
  /** What the row knows. */
  status: MessageStatus;
  errorCode: number | null;
  /** Old enough for its sure poll: none follows. */
  isSure: boolean;
}

/**
 * The messages that are due to be asked about, the longest due first. Those that have ended meanwhile, or are gone, are forgotten without a
 * question; those that were not sent yet come again.
 */
export function findDuePolls(
  db: Pick<Database, 'sql'>,
  { sureAfterSeconds, limit }: { sureAfterSeconds: number; limit: number },
): Promise<DuePoll[]> {
  return inStatement(
    db.sql,
    (sql) => sql<DuePoll[]>`
      WITH due AS MATERIALIZED (
        SELECT p.message_id, p.due_at, p.over, m.id, m.rank, m.status, m.error_code, m.message_sid, COALESCE(m.claimed_at, m.created_at) AS called_at
        FROM receipt_polls p LEFT JOIN whatsapp_messages m ON m.id = p.message_id
        WHERE p.due_at <= now() ORDER BY p.due_at LIMIT ${limit}
      ), forgotten AS (
        DELETE FROM receipt_polls p USING due d WHERE p.message_id = d.message_id AND (d.id IS NULL OR d.rank >= 50 OR d.over)
      ), waiting AS (
        UPDATE receipt_polls p SET due_at = now() + ${sureAfterSeconds} * interval '1 second'
        FROM due d WHERE p.message_id = d.message_id AND d.rank < 50 AND NOT d.over AND d.message_sid IS NULL
      )
      SELECT message_id AS "messageId", message_sid AS "messageSid", status, error_code AS "errorCode",
        called_at <= now() - ${sureAfterSeconds} * interval '1 second' AS "isSure"
      FROM due WHERE rank < 50 AND NOT over AND message_sid IS NOT NULL
      ORDER BY due_at`,
  );
}

/**
 * Notes what Twilio said of a message: its word for the status, or `gone`. After a sure poll none follows, after another one the sure one. Safe to
 * repeat.
 */
export async function settlePoll(
  db: Pick<Database, 'sql'>,
  { messageId, isSure, answer }: Pick<DuePoll, 'messageId' | 'isSure'> & { answer: string },
  { sureAfterSeconds }: { sureAfterSeconds: number },
): Promise<void> {
  const told = sanitizeText(answer);
  await inStatement(db.sql, (sql) =>
    isSure
      ? sql`
        UPDATE receipt_polls SET asked_at = now(), answer = ${told}, over = true, due_at = now() + ${TOLD_SECONDS} * interval '1 second'
        WHERE message_id = ${messageId}`
      : sql`
        UPDATE receipt_polls p SET asked_at = now(), answer = ${told},
          due_at = COALESCE(m.claimed_at, m.created_at) + ${sureAfterSeconds} * interval '1 second'
        FROM whatsapp_messages m WHERE p.message_id = ${messageId} AND m.id = p.message_id`,
  );
}

/** Puts a message off about which Twilio gave no answer. */
export async function postponePoll(db: Pick<Database, 'sql'>, messageId: string, { bySeconds }: { bySeconds: number }): Promise<void> {
  await inStatement(
    db.sql,
    (sql) => sql`
      UPDATE receipt_polls SET asked_at = now(), answer = 'failed', due_at = now() + ${bySeconds} * interval '1 second'
      WHERE message_id = ${messageId}`,
  );
}
