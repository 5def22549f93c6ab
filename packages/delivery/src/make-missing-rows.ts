import { externalMessageId } from '@tickmark/domain';
import type postgres from 'postgres';
import type { Evidence } from './evidence.ts';

export interface MissingRowResult {
  messageSid: string;
  /**
   * `made`: its row is there now · `found`: someone else made or bound it meanwhile · `attempt`: the sid is that attempt's ·
   * `deleted`: its row was cleaned up or erased, and stays away.
   */
  kind: 'made' | 'found' | 'attempt' | 'deleted';
  messageId: string;
  attempt: number | null;
}

/**
 * Makes rows for evidences that lead to none: `recovered` under the id that the callback's URL names, `external` for a sid without one.
 * They know nothing yet; the evidence is applied to them like to any other row.
 */
export async function makeMissingRows(tx: postgres.ISql, items: readonly Evidence[]): Promise<MissingRowResult[]> {
  const deleted = await findTombstones(tx, items.filter(isNamed));
  const attempts = await findAttempts(
    tx,
    items.filter((item) => !isNamed(item)),
  );
  const missing = items.filter((item) => !attempts.has(item.messageSid) && !deleted.has(item.messageId ?? ''));
  const made = new Set([
    ...(await insertRecovered(tx, missing.filter(isNamed))),
    ...(await insertExternal(
      tx,
      missing.filter((item) => !isNamed(item)),
    )),
  ]);
  return items.map((item) => {
    const { messageSid, attempt } = item;
    const messageId = item.messageId ?? externalMessageId(messageSid);
    const known = attempts.get(messageSid);
    if (known) return { ...known, kind: 'attempt' };
    if (deleted.has(messageId)) return { messageSid, messageId, attempt, kind: 'deleted' };
    return { messageSid, messageId, attempt, kind: made.has(messageId) ? 'made' : 'found' };
  });
}

function isNamed(item: Evidence): boolean {
  return item.messageId !== null;
}

async function findTombstones(tx: postgres.ISql, items: readonly Evidence[]): Promise<Set<string>> {
  if (items.length === 0) return new Set();
  const rows = await tx<{ id: string }[]>`
    SELECT message_id AS id FROM message_tombstones WHERE message_id = ANY (${items.map((item) => item.messageId)}::uuid[])`;
  return new Set(rows.map((row) => row.id));
}

interface FoundAttempt {
  messageSid: string;
  messageId: string;
  attempt: number;
}

async function findAttempts(tx: postgres.ISql, items: readonly Evidence[]): Promise<Map<string, FoundAttempt>> {
  if (items.length === 0) return new Map();
  const rows = await tx<FoundAttempt[]>`
    SELECT message_sid AS "messageSid", message_id AS "messageId", attempt
    FROM message_attempts WHERE message_sid = ANY (${items.map((item) => item.messageSid)}::text[])`;
  return new Map(rows.map((row) => [row.messageSid, row]));
}

/** Without the sid, which an external row may hold until it is released. */
async function insertRecovered(tx: postgres.ISql, items: readonly Evidence[]): Promise<string[]> {
  if (items.length === 0) return [];
  const rows = await tx<{ id: string }[]>`
    INSERT INTO whatsapp_messages (id, origin, status, rank, attempts, priority, sender, sender_address, recipient)
    SELECT e.id, 'recovered', 'unknown', 0, GREATEST(e.attempt, 1), 'bulk', ${senderColumns(tx)}
    FROM unnest(${items.map((item) => item.messageId)}::uuid[], ${items.map((item) => item.attempt)}::int[], ${addressArrays(tx, items)})
      AS e (id, attempt, from_address, to_address, service)
    ORDER BY e.id
    ON CONFLICT DO NOTHING
    RETURNING id`;
  return rows.map((row) => row.id);
}

async function insertExternal(tx: postgres.ISql, items: readonly Evidence[]): Promise<string[]> {
  if (items.length === 0) return [];
  const rows = await tx<{ id: string }[]>`
    INSERT INTO whatsapp_messages (id, origin, status, rank, message_sid, sid_source, priority, sender, sender_address, recipient)
    SELECT e.id, 'external', 'queued', 20, e.message_sid, 'callback', 'bulk', ${senderColumns(tx)}
    FROM unnest(${items.map((item) => externalMessageId(item.messageSid))}::uuid[], ${items.map((item) => item.messageSid)}::text[],
      ${addressArrays(tx, items)}) AS e (id, message_sid, from_address, to_address, service)
    ORDER BY e.id
    -- Also when another transaction bound the sid meanwhile: the next round finds it there.
    ON CONFLICT DO NOTHING
    RETURNING id`;
  return rows.map((row) => row.id);
}

function senderColumns(tx: postgres.ISql) {
  return tx`
    (SELECT s.alias FROM senders s WHERE s.address IN (e.service, e.from_address) ORDER BY s.address = e.service DESC LIMIT 1),
    COALESCE(e.service, e.from_address), e.to_address`;
}

function addressArrays(tx: postgres.ISql, items: readonly Evidence[]) {
  return tx`${items.map((item) => item.from)}::text[], ${items.map((item) => item.to)}::text[],
    ${items.map((item) => item.messagingServiceSid)}::text[]`;
}
