import { MESSAGE_STATUSES } from '@tickmark/domain';
import type postgres from 'postgres';
import type { ArchiveRecord } from '../archive/archive-record.ts';
import { toPage, WALK_START, type Retained } from './retained.ts';
import { NIL_ID } from '../nil-id.ts';

const FINAL_STATUSES = Object.entries(MESSAGE_STATUSES).flatMap(([status, { final }]) => (final ? [status] : []));

/**
 * Messages whose status is final and that have not changed for the period. What is claimable, `sending`, `unknown` or `held` never goes, and
 * neither does `queued` or `sent`, however old: Twilio never told how they ended.
 */
export const retainedMessages: Retained = {
  kind: 'message',
  async findOld(sql, { olderThanDays, after, limit }) {
    const { at, key } = after ?? WALK_START;
    const rows = await sql<{ key: string; at: string; old: boolean }[]>`
      SELECT m.id::text AS key, m.created_at::text AS at,
        ${mayGo(sql)} AND ${lastChange(sql)} < now() - ${olderThanDays} * interval '1 day' AS old
      FROM whatsapp_messages m
      WHERE (m.created_at, m.id) > (${at}::text::timestamptz, ${key || NIL_ID}::uuid) AND m.created_at < now() - ${olderThanDays} * interval '1 day'
      ORDER BY m.created_at, m.id LIMIT ${limit}`;
    return toPage(rows, limit);
  },
  async lock(tx, keys) {
    const rows = await tx<{ key: string }[]>`
      SELECT m.id::text AS key FROM whatsapp_messages m
      WHERE m.id = ANY (${[...keys]}::uuid[]) AND ${mayGo(tx)} ORDER BY m.id FOR UPDATE SKIP LOCKED`;
    return rows.map((row) => row.key);
  },
  bundle: bundleMessages,
  remove: async (tx, keys) => (await removeMessages(tx, keys)).removed,
};

function mayGo(sql: postgres.ISql) {
  return sql`m.status = ANY (${FINAL_STATUSES}::text[])`;
}

/** Not before the final time: each statement that changes the status sets `updated_at`, and a stage may bear a later time of another clock. */
function lastChange(sql: postgres.ISql) {
  return sql`GREATEST(m.updated_at, m.sent_at, m.delivered_at, m.read_at, m.failed_at)`;
}

/** Messages with everything that is stored about each. */
export async function bundleMessages(sql: postgres.ISql, ids: readonly string[]): Promise<ArchiveRecord[]> {
  const rows = await sql<Omit<ArchiveRecord, 'kind'>[]>`
    SELECT b.key, b.rows::text AS rows, encode(sha256(convert_to(b.rows::text, 'UTF8')), 'hex') AS sha256
    FROM (
      SELECT m.id::text AS key, jsonb_build_object(
        'whatsapp_messages', jsonb_build_array(to_jsonb(m) - 'open_status'),
        'message_attempts', (
          SELECT COALESCE(jsonb_agg(to_jsonb(a) ORDER BY a.attempt), '[]') FROM message_attempts a WHERE a.message_id = m.id),
        'message_status_logs', (
          SELECT COALESCE(jsonb_agg(to_jsonb(l) ORDER BY l.message_sid, l.status, l.error_code NULLS FIRST), '[]')
          FROM message_status_logs l WHERE l.message_sid = ANY (ARRAY(${sidsOf(sql)}))),
        'outcome_searches', (
          SELECT COALESCE(jsonb_agg(to_jsonb(s) ORDER BY s.attempt), '[]') FROM outcome_searches s WHERE s.message_id = m.id),
        'receipt_polls', (SELECT COALESCE(jsonb_agg(to_jsonb(p)), '[]') FROM receipt_polls p WHERE p.message_id = m.id),
        'cancel_requests', (
          SELECT COALESCE(jsonb_agg(to_jsonb(c) ORDER BY c.producer), '[]') FROM cancel_requests c WHERE c.message_id = m.id),
        'audit_log', (SELECT COALESCE(jsonb_agg(to_jsonb(g) ORDER BY g.id), '[]') FROM audit_log g WHERE g.message_id = m.id)
      ) AS rows
      FROM whatsapp_messages m WHERE m.id = ANY (${[...ids]}::uuid[]) ORDER BY m.id
    ) b`;
  return rows.map((row) => ({ kind: 'message', ...row }));
}

/** Deletes messages whose rows are locked with everything about each, and leaves their ids as tombstones. @returns their sids */
export async function deleteMessages(tx: postgres.ISql, ids: readonly string[]): Promise<string[]> {
  return (await removeMessages(tx, ids)).sids;
}

async function removeMessages(tx: postgres.ISql, ids: readonly string[]): Promise<{ sids: string[]; removed: Record<string, number> }> {
  const given = [...ids];
  const sids = await tx<{ sid: string }[]>`
    SELECT s.sid FROM whatsapp_messages m CROSS JOIN LATERAL (${sidsOf(tx)}) AS s (sid) WHERE m.id = ANY (${given}::uuid[]) AND s.sid IS NOT NULL`;
  const { count: logs } = await tx`DELETE FROM message_status_logs WHERE message_sid = ANY (${sids.map(({ sid }) => sid)}::text[])`;
  const [removed] = await tx<Record<string, number>[]>`
    WITH attempts AS (DELETE FROM message_attempts WHERE message_id = ANY (${given}::uuid[]) RETURNING 1),
      searches AS (DELETE FROM outcome_searches WHERE message_id = ANY (${given}::uuid[]) RETURNING 1),
      polls AS (DELETE FROM receipt_polls WHERE message_id = ANY (${given}::uuid[]) RETURNING 1),
      cancels AS (DELETE FROM cancel_requests WHERE message_id = ANY (${given}::uuid[]) RETURNING 1),
      audits AS (DELETE FROM audit_log WHERE message_id = ANY (${given}::uuid[]) RETURNING 1),
      gone AS (DELETE FROM whatsapp_messages WHERE id = ANY (${given}::uuid[]) RETURNING id),
      buried AS (
        INSERT INTO message_tombstones (message_id) SELECT id FROM gone ORDER BY id
        ON CONFLICT (message_id) DO UPDATE SET deleted_at = now())
    SELECT (SELECT count(*)::int FROM attempts) AS message_attempts, (SELECT count(*)::int FROM searches) AS outcome_searches,
      (SELECT count(*)::int FROM polls) AS receipt_polls, (SELECT count(*)::int FROM cancels) AS cancel_requests,
      (SELECT count(*)::int FROM audits) AS audit_log, (SELECT count(*)::int FROM gone) AS whatsapp_messages`;
  return { sids: sids.map(({ sid }) => sid), removed: { ...removed, message_status_logs: logs } };
}

/** The sids under which Twilio knows the message of the row `m`, older attempts included. */
function sidsOf(sql: postgres.ISql) {
  return sql`SELECT m.message_sid UNION ALL SELECT t.message_sid FROM message_attempts t WHERE t.message_id = m.id`;
}
