import { createHash } from 'node:crypto';
import { CLAIMABLE_STATUSES, type AcceptedMessage, type MessageStatus, type Priority } from '@tickmark/domain';
import type { Settled } from '@tickmark/runtime';
import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';
import { sanitizedJson, sanitizeText } from './sanitize-text.ts';
import { settleBatch } from './settle-batch.ts';
import { writeAudit } from './write-audit.ts';

/**
 * A row's `created_at` is when its message was accepted, so that lists sort and filter by what they show; but it lies back no further than this,
 * because the walk over new rows that look for receipts has passed what is 15 minutes old, and would never see the row.
 */
const CREATED_BACK_SECONDS_MAX = 600;

export interface InsertedMessage {
  id: string;
  /**
   * `conflict_hash`: the id is there with another request; `conflict_producer`: it belongs to someone else. Both are audited. `deleted`: its row
   * was erased or cleaned up, and a repeated request must not send it again; there is no row then.
   */
  result: 'inserted' | 'exists' | 'conflict_hash' | 'conflict_producer' | 'deleted';
  /** The row is claimable and not parked under a stop: it needs a send job. */
  waiting: boolean;
  status: MessageStatus;
  /** When a claim may first succeed; null when the row does not wait. */
  dueAt: Date | null;
  /** Alias. */
  sender: string;
  priority: Priority;
}

/**
 * Makes a row for each message whose id has none, and tells of every id how its row stands. A cancellation that came first wins.
 *
 * Safe to repeat: a row that is there stays as it is. Answers are in the order of the messages.
 */
export function insertAccepted(db: Pick<Database, 'sql'>, messages: readonly AcceptedMessage[]): Promise<Settled<InsertedMessage>[]> {
  return settleBatch(messages, async (batch) => {
    const inserted = await inStatement(db.sql, (sql) => insertRows(sql, batch));
    const rows = new Map(inserted.map((row) => [row.id, row]));
    const fresh = new Set(rows.keys());
    const others = batch.map((message) => message.id.toLowerCase()).filter((id) => !fresh.has(id));
    // A statement of its own: what another transaction inserted a moment ago is no part of the first one's snapshot.
    const found = others.length === 0 ? [] : await inStatement(db.sql, (sql) => readRows(sql, others));
    for (const row of found) rows.set(row.id, row);
    const answers = batch.map((message) => {
      const id = message.id.toLowerCase();
      return describe(message, rows.get(id), fresh.delete(id));
    });
    const conflicts = conflictsIn(batch, answers);
    if (conflicts.length > 0) await inStatement(db.sql, (sql) => writeAudit(sql, conflicts));
    return answers;
  });
}

interface Row {
  id: string;
  status: MessageStatus;
  /** Null for a parked row. */
  dueAt: Date | null;
  sender: string | null;
  priority: Priority;
  producer: string | null;
  requestHash: string | null;
}

function insertRows(sql: postgres.ISql, batch: readonly AcceptedMessage[]) {
  const texts = (read: (message: AcceptedMessage) => string | null) => batch.map((message) => sanitizeText(read(message)));
  return sql<Row[]>`
    INSERT INTO whatsapp_messages (
      id, producer, request_hash, sender, sender_address, recipient, body, content_sid, content_variables, media_url, content_sha256,
      priority, category, campaign, metadata, on_unknown, accepted_at, created_at, send_at, expires_at, status, rank, due_at)
    SELECT m.id, m.producer, decode(m.request_hash, 'hex'), m.sender, m.sender_address, m.recipient, m.body, m.content_sid,
      m.content_variables, m.media_url, decode(m.content_sha256, 'hex'), m.priority, m.category, m.campaign, m.metadata::jsonb, m.on_unknown,
      m.accepted_at::timestamptz,
      GREATEST(LEAST(m.accepted_at::timestamptz, now()), now() - ${CREATED_BACK_SECONDS_MAX} * interval '1 second'), m.send_at::timestamptz,
      GREATEST(m.accepted_at::timestamptz, m.send_at::timestamptz) + m.validity_seconds * interval '1 second',
      ${statusAtStart(sql)}, CASE WHEN c.message_id IS NULL THEN 0 ELSE 50 END, GREATEST(now(), m.send_at::timestamptz)
    FROM unnest(
      ${batch.map((message) => message.id)}::uuid[], ${texts((m) => m.producer)}::text[], ${texts((m) => m.requestHash)}::text[],
      ${texts((m) => m.sender)}::text[], ${texts((m) => m.senderAddress)}::text[], ${texts((m) => m.recipient)}::text[],
      ${texts((m) => m.body)}::text[], ${texts((m) => m.contentSid)}::text[], ${batch.map((m) => sanitizedJson(m.contentVariables))}::text[],
      ${texts((m) => m.mediaUrl)}::text[], ${texts((m) => sha256(m.body))}::text[], ${texts((m) => m.priority)}::text[],
      ${texts((m) => m.category)}::text[], ${texts((m) => m.campaign)}::text[], ${batch.map((m) => sanitizedJson(m.metadata))}::text[],
      ${texts((m) => m.onUnknown)}::text[], ${texts((m) => m.acceptedAt)}::text[], ${texts((m) => m.sendAt)}::text[],
      ${batch.map((message) => message.validityPeriodSeconds)}::int[]
    ) WITH ORDINALITY AS m (
      id, producer, request_hash, sender, sender_address, recipient, body, content_sid, content_variables, media_url, content_sha256,
      priority, category, campaign, metadata, on_unknown, accepted_at, send_at, validity_seconds, position)
    LEFT JOIN cancel_requests c ON c.message_id = m.id AND c.producer = m.producer
    WHERE NOT EXISTS (SELECT FROM message_tombstones t WHERE t.message_id = m.id)
    -- In key order, so that two batches with the same ids wait for each other instead of for ever.
    ORDER BY m.id, m.position
    ON CONFLICT (id) DO NOTHING
    RETURNING ${rowColumns(sql)}`;
}

function statusAtStart(sql: postgres.ISql) {
  return sql`CASE WHEN c.message_id IS NOT NULL THEN 'canceled' WHEN m.send_at::timestamptz > now() THEN 'scheduled' ELSE 'accepted' END`;
}

function readRows(sql: postgres.ISql, ids: readonly string[]) {
  return sql<Row[]>`SELECT ${rowColumns(sql)} FROM whatsapp_messages WHERE id = ANY (${ids}::uuid[])`;
}

function rowColumns(sql: postgres.ISql) {
  return sql`id, status, NULLIF(due_at, 'infinity') AS "dueAt", sender, priority, producer, encode(request_hash, 'hex') AS "requestHash"`;
}

/** Recognises a free text in a list of Twilio, also when ours is redacted. */
function sha256(body: string | null): string | null {
  return body === null ? null : createHash('sha256').update(sanitizeText(body)).digest('hex');
}

function describe(message: AcceptedMessage, row: Row | undefined, inserted: boolean): InsertedMessage {
  if (row === undefined) {
    const { id, sender, priority } = message;
    return { id: id.toLowerCase(), result: 'deleted', waiting: false, status: 'canceled', dueAt: null, sender, priority };
  }
  const waiting = CLAIMABLE_STATUSES.includes(row.status) && row.dueAt !== null;
  return {
    id: row.id,
    result: inserted ? 'inserted' : compare(message, row),
    waiting,
    status: row.status,
    dueAt: waiting ? row.dueAt : null,
    sender: row.sender ?? message.sender,
    priority: row.priority,
  };
}

function compare(message: AcceptedMessage, row: Row): InsertedMessage['result'] {
  // A row that a callback brought back knows neither: it is taken to be this message, which was sent already.
  if (row.producer !== null && row.producer !== message.producer) return 'conflict_producer';
  if (row.requestHash !== null && row.requestHash !== message.requestHash.toLowerCase()) return 'conflict_hash';
  return 'exists';
}

function conflictsIn(batch: readonly AcceptedMessage[], answers: readonly InsertedMessage[]) {
  return batch.flatMap((message, index) => {
    const result = answers[index]?.result;
    if (result !== 'conflict_hash' && result !== 'conflict_producer') return [];
    return [
      { actor: message.producer, action: `idempotency_${result}`, messageId: message.id, details: { requestHash: message.requestHash } },
    ];
  });
}
