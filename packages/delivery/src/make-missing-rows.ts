import { externalMessageId } from '@tickmark/domain';
import type postgres from 'postgres';
import { inStatement, type RawSql } from './database.ts';
import type { Evidence } from './evidence.ts';
import { addressArrays, senderColumns } from './sender-columns.ts';

/** Where evidence goes that leads to no row. `deleted`: its row was cleaned up or erased, and stays away. */
export type MissingRowResult =
  { kind: 'recovered'; made: boolean } | { kind: 'attempt'; messageId: string; attempt: number } | { kind: 'deleted' };

export type NamedEvidence = Evidence & { messageId: string };

/** Makes the rows that are lost. @returns the ids of those that were made */
export type MakeLostRows = (tx: postgres.ISql, items: readonly NamedEvidence[]) => Promise<string[]>;

/** Rows of a batch are lost and have to be made before it. */
export class LostRowsError extends Error {
  readonly items: readonly NamedEvidence[];

  constructor(items: readonly NamedEvidence[]) {
    super('rows that callbacks name are lost');
    this.items = items;
  }
}

/**
 * Leaves it to the caller: a batch must not insert rows while it holds others. Two batches that each hold the external row of the other's lost
 * message would wait for each other (seen with callbacks of lost messages, some with our id and some without).
 */
export const tellOfLostRows: MakeLostRows = (_tx, items) =>
  items.length === 0 ? Promise.resolve([]) : Promise.reject(new LostRowsError(items));

/** Makes lost rows, each in a transaction of its own. @returns the sids for whose sake a row was made */
export async function makeRecoveredRows(sql: RawSql, items: readonly NamedEvidence[]): Promise<string[]> {
  const made = await Promise.all(items.map((item) => inStatement(sql, (statement) => insertRecovered(statement, [item]))));
  return items.filter((_item, index) => made[index]?.length === 1).map(({ messageSid }) => messageSid);
}

/**
 * Makes rows under the ids that the callbacks' URLs name and that are gone (`recovered`), and finds the older attempts that have the sids
 * of the others. The rows know nothing yet; the evidence is applied to them like to any other row.
 *
 * @returns by sid; without an entry for a sid that leads nowhere
 */
export async function makeMissingRows(
  tx: postgres.ISql,
  items: readonly Evidence[],
  makeLost: MakeLostRows = insertRecovered,
): Promise<Map<string, MissingRowResult>> {
  const named = items.filter((item): item is NamedEvidence => item.messageId !== null);
  const nameless = items.filter((item) => item.messageId === null);
  const deleted = await findTombstones(tx, items.map(tombstoneIdOf));
  const lost = named.filter((item) => !deleted.has(item.messageId));
  const made = new Set(await makeLost(tx, lost));
  const results = new Map<string, MissingRowResult>();
  for (const item of nameless) if (deleted.has(tombstoneIdOf(item))) results.set(item.messageSid, { kind: 'deleted' });
  for (const { messageSid } of named) results.set(messageSid, { kind: 'deleted' });
  for (const { messageSid, messageId } of lost) results.set(messageSid, { kind: 'recovered', made: made.has(messageId) });
  for (const { messageSid, messageId, attempt } of await findAttempts(tx, nameless)) {
    results.set(messageSid, { kind: 'attempt', messageId, attempt });
  }
  return results;
}

/** The id under which the row of an evidence would be made again. */
export function tombstoneIdOf({ messageId, messageSid }: Evidence): string {
  return messageId ?? externalMessageId(messageSid);
}

/** Those of the ids whose rows were cleaned up or erased. */
export async function findTombstones(sql: postgres.ISql, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const rows = await sql<{ id: string }[]>`
    SELECT message_id AS id FROM message_tombstones WHERE message_id = ANY (${[...ids]}::uuid[])`;
  return new Set(rows.map((row) => row.id));
}

async function findAttempts(tx: postgres.ISql, items: readonly Evidence[]) {
  if (items.length === 0) return [];
  return tx<{ messageSid: string; messageId: string; attempt: number }[]>`
    SELECT message_sid AS "messageSid", message_id AS "messageId", attempt
    FROM message_attempts WHERE message_sid = ANY (${items.map((item) => item.messageSid)}::text[])`;
}

/** Without the sid, which an external row may hold until it is released. */
async function insertRecovered(tx: postgres.ISql, items: readonly NamedEvidence[]): Promise<string[]> {
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
