import type postgres from 'postgres';
import type { ArchivedKind, ArchiveRecord } from '../archive/archive-record.ts';
import { retainedMessages } from './retained-messages.ts';
import { toPage, WALK_START, type Retained } from './retained.ts';
import { NIL_ID } from '../nil-id.ts';

interface PlainTable {
  kind: ArchivedKind;
  table: string;
  /** Primary key. */
  key: string;
  keyType: 'bigint' | 'text' | 'uuid';
  /** The least value of the key's type. */
  first: string;
  /** By which a row is old. */
  time: string;
  /** Whether the table has an index on the time; else it is walked by its key. */
  byTime: boolean;
  /** SQL of what a row `t` must be, besides old. */
  mayGo: string;
}

/** Rows that belong to no message. */
const RETAINED_ROWS: readonly Retained[] = [
  {
    kind: 'inbound',
    table: 'inbound_messages',
    key: 'message_sid',
    keyType: 'text',
    first: '',
    time: 'received_at',
    byTime: true,
    mayGo: 't.handed_over_at IS NOT NULL',
  },
  {
    kind: 'dead_letter',
    table: 'dead_letters',
    key: 'id',
    keyType: 'bigint',
    first: '0',
    time: 'created_at',
    byTime: false,
    mayGo: 't.retry_requested_at IS NULL',
  },
  {
    kind: 'task',
    table: 'tasks',
    key: 'id',
    keyType: 'uuid',
    first: NIL_ID,
    time: 'created_at',
    byTime: true,
    mayGo: `t.state IN ('done', 'failed')`,
  },
  {
    kind: 'audit',
    table: 'audit_log',
    key: 'id',
    keyType: 'bigint',
    first: '0',
    time: 'at',
    byTime: true,
    // Entries about a message stay as long as it does, and go with it.
    mayGo: 'NOT EXISTS (SELECT FROM whatsapp_messages m WHERE m.id = t.message_id)',
  },
].map((table) => retainRows(table as PlainTable));

/** Everything that is archived, in the order in which it is. */
export const RETAINED_KINDS: ReadonlyMap<ArchivedKind, Retained> = new Map(
  [retainedMessages, ...RETAINED_ROWS].map((retained) => [retained.kind, retained]),
);

function retainRows({ kind, table, key, keyType, first, time, byTime, mayGo }: PlainTable): Retained {
  const given = (sql: postgres.ISql, keys: readonly string[]) => sql`t.${sql(key)} = ANY (${[...keys]}::text[]::${sql.unsafe(keyType)}[])`;
  return {
    kind,
    async findOld(sql, { olderThanDays, after, limit }) {
      const from = after ?? { at: WALK_START.at, key: first };
      const k = sql`t.${sql(key)}`;
      const at = sql`t.${sql(time)}`;
      const fromKey = sql`${from.key || first}::text::${sql.unsafe(keyType)}`;
      const where = byTime
        ? sql`(${at}, ${k}) > (${from.at}::text::timestamptz, ${fromKey}) AND ${at} < now() - ${olderThanDays} * interval '1 day'`
        : sql`${k} > ${fromKey}`;
      const rows = await sql<{ key: string; at: string; old: boolean }[]>`
        SELECT ${k}::text AS key, ${at}::text AS at,
          ${at} < now() - ${olderThanDays} * interval '1 day' AND ${sql.unsafe(mayGo)} AS old
        FROM ${sql(table)} t WHERE ${where} ORDER BY ${byTime ? sql`${at}, ${k}` : k} LIMIT ${limit}`;
      return toPage(rows, limit);
    },
    async lock(tx, keys) {
      const rows = await tx<{ key: string }[]>`
        SELECT t.${tx(key)}::text AS key FROM ${tx(table)} t WHERE ${given(tx, keys)} AND ${tx.unsafe(mayGo)}
        ORDER BY t.${tx(key)} FOR UPDATE OF t SKIP LOCKED`;
      return rows.map((row) => row.key);
    },
    async bundle(sql, keys) {
      const rows = await sql<Omit<ArchiveRecord, 'kind'>[]>`
        SELECT b.key, b.rows::text AS rows, encode(sha256(convert_to(b.rows::text, 'UTF8')), 'hex') AS sha256
        FROM (
          SELECT t.${sql(key)}::text AS key, jsonb_build_object(${table}::text, jsonb_build_array(to_jsonb(t))) AS rows
          FROM ${sql(table)} t WHERE ${given(sql, keys)} ORDER BY t.${sql(key)}
        ) b`;
      return rows.map((row) => ({ kind, ...row }));
    },
    async remove(tx, keys) {
      const { count } = await tx`DELETE FROM ${tx(table)} t WHERE ${given(tx, keys)}`;
      return { [table]: count };
    },
  };
}
