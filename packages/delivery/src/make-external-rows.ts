import { externalMessageId } from '@tickmark/domain';
import type postgres from 'postgres';
import { inStatement, type RawSql } from './database.ts';
import type { Evidence } from './evidence.ts';
import { findTombstones, tombstoneIdOf } from './make-missing-rows.ts';
import { addressArrays, senderColumns } from './sender-columns.ts';

/**
 * Makes rows for sids that no row and no attempt has and whose callbacks name none of ours: messages that something else sent through the
 * same account. They know nothing yet; the evidence is applied to them like to any other row.
 *
 * Each row in a transaction of its own, before that of the batch: a sid that is just being bound to one of our rows has to be waited for,
 * and waiting while other sids are held is how two batches deadlock (seen with nameless callbacks beside their own records).
 *
 * @returns the sids whose row was made here
 */
export async function makeExternalRows(sql: RawSql, items: readonly Evidence[]): Promise<Set<string>> {
  const nameless = items.filter((item) => item.messageId === null);
  if (nameless.length === 0) return new Set();
  const known = new Set((await inStatement(sql, (statement) => findKnownSids(statement, nameless))).map((row) => row.sid));
  const unknown = nameless.filter((item) => !known.has(item.messageSid));
  const deleted = await inStatement(sql, (statement) => findTombstones(statement, unknown.map(tombstoneIdOf)));
  const strangers = unknown.filter((item) => !deleted.has(tombstoneIdOf(item)));
  const made = await Promise.all(strangers.map((item) => inStatement(sql, (statement) => insertExternal(statement, item))));
  return new Set(strangers.filter((_item, index) => made[index]?.length === 1).map((item) => item.messageSid));
}

function findKnownSids(sql: postgres.ISql, items: readonly Evidence[]) {
  const sids = items.map((item) => item.messageSid);
  return sql<{ sid: string }[]>`
    SELECT message_sid AS sid FROM whatsapp_messages WHERE message_sid = ANY (${sids}::text[])
    UNION ALL
    SELECT message_sid FROM message_attempts WHERE message_sid = ANY (${sids}::text[])`;
}

function insertExternal(sql: postgres.ISql, item: Evidence) {
  return sql<{ id: string }[]>`
    INSERT INTO whatsapp_messages (id, origin, status, rank, message_sid, sid_source, priority, sender, sender_address, recipient)
    SELECT ${externalMessageId(item.messageSid)}::uuid, 'external', 'queued', 20, ${item.messageSid}, 'callback', 'bulk',
      ${senderColumns(sql)}
    FROM unnest(${addressArrays(sql, [item])}) AS e (from_address, to_address, service)
    -- Also when another transaction bound the sid meanwhile: it is found there.
    ON CONFLICT DO NOTHING
    RETURNING id`;
}
