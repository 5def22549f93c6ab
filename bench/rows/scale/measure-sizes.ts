import type postgres from 'postgres';
import type { Reached } from '../../harness/report.ts';
import { spreadOf } from '../../harness/statistics.ts';

const MEASURE = 'room on disk';
const BIG_TABLES = ['whatsapp_messages', 'message_status_logs'];

/** What a row costs in its table and in each index, in bytes. */
export async function measureSizes(sql: postgres.Sql): Promise<Reached[]> {
  const rows = await sql<{ table: string; name: string; bytes: number; rows: number }[]>`
    SELECT t.relname AS "table", c.relname AS name, pg_table_size(c.oid)::float8 AS bytes, t.reltuples::float8 AS rows
    FROM pg_class t JOIN LATERAL (SELECT t.oid UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = t.oid) AS part (oid) ON true
      JOIN pg_class c ON c.oid = part.oid
    WHERE t.oid = ANY (${BIG_TABLES}::text[]::regclass[])
    ORDER BY t.relname DESC, bytes DESC`;
  return BIG_TABLES.map((table): Reached => {
    const parts = rows.filter((row) => row.table === table);
    const count = parts[0]?.rows ?? 0;
    const figures = Object.fromEntries(parts.map(({ name, bytes }) => [`${name} bytes per row`, spreadOf([bytes / count])]));
    const megabytes = parts.reduce((sum, { bytes }) => sum + bytes, 0) / 1_000_000;
    return {
      name: table,
      title: table,
      measure: MEASURE,
      figures: { megabytes: spreadOf([megabytes]), ...figures },
      gate: { rows: count },
      passed: count > 0,
    };
  });
}
