import type postgres from 'postgres';
import { inStatement, inTransaction, type Database } from '../database.ts';

/** Pages of a table that one statement reads: 16 MB. */
const PAGES = 2_000;

/** What stands where something was erased: valid as a JSON number and within a JSON string. */
const ERASED = '0';

interface SearchedTable {
  name: string;
  pages: number;
  columns: { name: string; type: string; unique: boolean }[];
}

export interface TablesSearched {
  /** Tables with columns of text or JSON. */
  tables: number;
  /** Rows in which the pattern occurs, per table; tables without any are left out. */
  found: Record<string, number>;
}

/** Rows that are passed over: of one task. */
interface SearchOptions {
  exceptTask: string | null;
  onTable?: (name: string) => Promise<void>;
}

/** Looks for a pattern in every column of text or JSON of every table, in short statements. */
export async function searchTables(db: Pick<Database, 'sql'>, pattern: string, options: SearchOptions): Promise<TablesSearched> {
  const tables = await listTables(db);
  const found: Record<string, number> = {};
  for (const table of tables) {
    await options.onTable?.(table.name);
    const count = await eachRange(table, (range) =>
      inStatement(db.sql, async (sql) => (await sql`SELECT ${matching(sql, table, { range, pattern, ...options })}`).length),
    );
    if (count > 0) found[table.name] = count;
  }
  return { tables: tables.length, found };
}

/** Takes a pattern out of every column of text or JSON of every table. A row whose key holds it is deleted. @returns rows per table */
export async function scrubTables(db: Pick<Database, 'sql'>, pattern: string, options: SearchOptions): Promise<Record<string, number>> {
  const scrubbed: Record<string, number> = {};
  for (const table of await listTables(db)) {
    await options.onTable?.(table.name);
    const count = await eachRange(table, (range) => inTransaction(db.sql, (tx) => scrubRange(tx, table, { range, pattern, ...options })));
    if (count > 0) scrubbed[table.name] = count;
  }
  return scrubbed;
}

interface Match {
  range: { from: number; to: number };
  pattern: string;
  exceptTask: string | null;
}

async function scrubRange(tx: postgres.ISql, table: SearchedTable, match: Match): Promise<number> {
  const rows = await tx<{ id: string }[]>`SELECT t.ctid::text AS id ${matching(tx, table, match)} FOR UPDATE`;
  if (rows.length === 0) return 0;
  const ids = rows.map(({ id }) => id);
  const keys = table.columns.filter(({ unique }) => unique);
  for (const { name } of keys) {
    await tx`DELETE FROM ${tx(table.name)} t WHERE t.ctid = ANY (${ids}::text[]::tid[]) AND t.${tx(name)}::text ~ ${match.pattern}`;
  }
  const others = table.columns.filter(({ unique }) => !unique);
  const assign = others.map(
    ({ name, type }, index) =>
      tx`${index === 0 ? tx`` : tx`,`} ${tx(name)} = regexp_replace(t.${tx(name)}::text, ${match.pattern}, ${ERASED}, 'g')::${tx.unsafe(type)}`,
  );
  if (others.length > 0) await tx`UPDATE ${tx(table.name)} t SET ${assign} WHERE t.ctid = ANY (${ids}::text[]::tid[])`;
  return rows.length;
}

function matching(sql: postgres.ISql, table: SearchedTable, { range, pattern, exceptTask }: Match) {
  const texts = table.columns.map(({ name }, index) => sql`${index === 0 ? sql`` : sql`,`} t.${sql(name)}::text`);
  const except = table.name === 'tasks' && exceptTask !== null ? sql`AND t.id <> ${exceptTask}::uuid` : sql``;
  return sql`FROM ${sql(table.name)} t
    WHERE t.ctid >= ${`(${range.from},0)`}::text::tid AND t.ctid < ${`(${range.to},0)`}::text::tid
      AND concat_ws(' ', ${texts}) ~ ${pattern} ${except}`;
}

/** Rows that were moved to later pages meanwhile are found by the next search. */
async function eachRange(table: SearchedTable, run: (range: Match['range']) => Promise<number>): Promise<number> {
  let total = 0;
  for (let from = 0; from < table.pages; from += PAGES) total += await run({ from, to: from + PAGES });
  return total;
}

function listTables(db: Pick<Database, 'sql'>): Promise<SearchedTable[]> {
  return inStatement(
    db.sql,
    (sql) => sql<SearchedTable[]>`
      SELECT c.relname AS name,
        -- One more than there are now: it grows while it is searched.
        (pg_relation_size(c.oid) / current_setting('block_size')::bigint + 1)::int AS pages,
        jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'unique', EXISTS (
          SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey)
        )) ORDER BY a.attnum) AS columns
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'json'::regtype, 'jsonb'::regtype, 'text[]'::regtype)
      GROUP BY c.oid, c.relname ORDER BY c.relname`,
  );
}
