import type postgres from 'postgres';
import { inStatement, inTransaction, type Database } from '../database.ts';
import { isStatementTimeout } from '../database-errors.ts';
import type { Person } from './person.ts';
import { repeatAfterRace } from './repeat-after-race.ts';

/** Pages of a table that one statement reads: 16 MB. */
const PAGES = 2_000;

/** What stands where something was erased: valid as a JSON number and within a JSON string. */
const ERASED = '0';

/** Ids that are named; there may be thousands. */
const NAMED_MAX = 20;

/** Whose a row is. A person's own rows are deleted as a whole: with another address they would be nobody's, and stay. */
const OWNER: Readonly<Record<string, string>> = { whatsapp_messages: 'recipient', inbound_messages: 'from_address' };

interface SearchedTable {
  name: string;
  columns: { name: string; type: string; unique: boolean }[];
  /** Of the primary key. */
  key: string[];
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
  signal?: AbortSignal;
}

/** Looks for a person in every column of text or JSON of every table, in short statements. */
export async function searchTables(db: Pick<Database, 'sql'>, { pattern }: Person, options: SearchOptions): Promise<TablesSearched> {
  const tables = await listTables(db);
  const found: Record<string, number> = {};
  for (const table of tables) {
    await options.onTable?.(table.name);
    const count = await eachRange(db, table, options, (range) =>
      inStatement(db.sql, async (sql) => (await sql`SELECT ${matching(sql, table, { range, pattern, ...options })}`).length),
    );
    if (count > 0) found[table.name] = count;
  }
  return { tables: tables.length, found };
}

/**
 * Takes a person's address out of every column of text or JSON of every table, but not out of the person's own messages, nor out of those to
 * others that are not sent yet. A row whose key holds it is deleted. Safe to repeat.
 *
 * @returns rows per table
 */
export async function scrubTables(db: Pick<Database, 'sql'>, person: Person, options: SearchOptions): Promise<Record<string, number>> {
  const scrubbed: Record<string, number> = {};
  for (const table of await listTables(db)) {
    await options.onTable?.(table.name);
    const count = await eachRange(db, table, options, (range) =>
      inTransaction(db.sql, (tx) => scrubRange(tx, table, { range, person, pattern: person.pattern, ...options })),
    );
    if (count > 0) scrubbed[table.name] = count;
  }
  return scrubbed;
}

/** Messages to others that quote a person and are not sent yet. @returns how many, and the ids of the first */
export async function findWaitingQuotes(
  db: Pick<Database, 'sql'>,
  person: Person,
  { signal }: Pick<SearchOptions, 'signal'> = {},
): Promise<{ count: number; ids: string[] }> {
  const ids: string[] = [];
  const table = (await listTables(db)).find(({ name }) => name === 'whatsapp_messages');
  if (table === undefined) return { count: 0, ids };
  const count = await eachRange(db, table, signal ? { signal } : {}, async (range) => {
    const rows = await inStatement(
      db.sql,
      (sql) => sql<{ id: string }[]>`
        SELECT t.id ${matching(sql, table, { range, pattern: person.pattern, exceptTask: null })} AND t.rank = 0 ${ofOthers(sql, table, person)}`,
    );
    ids.push(...rows.slice(0, NAMED_MAX - ids.length).map(({ id }) => id));
    return rows.length;
  });
  return { count, ids };
}

interface Range {
  from: number;
  to: number;
}

interface Match {
  range: Range;
  pattern: string;
  exceptTask: string | null;
}

async function scrubRange(tx: postgres.ISql, table: SearchedTable, match: Match & { person: Person }): Promise<number> {
  const isMessages = table.name === 'whatsapp_messages';
  const order = table.key.map((name, index) => tx`${index === 0 ? tx`ORDER BY` : tx`,`} t.${tx(name)}`);
  const rows = await tx<{ id: string }[]>`
    SELECT t.ctid::text AS id ${matching(tx, table, match)} ${ofOthers(tx, table, match.person)}
      -- It is to be sent as it was accepted.
      ${isMessages ? tx`AND t.rank > 0` : tx``}
    ${order.length > 0 ? order : tx``} FOR UPDATE`;
  if (rows.length === 0) return 0;
  const ids = rows.map(({ id }) => id);
  const isOne = tx`t.ctid = ANY (${ids}::text[]::tid[])`;
  const keys = table.columns.filter(({ unique }) => unique);
  for (const { name } of keys) await tx`DELETE FROM ${tx(table.name)} t WHERE ${isOne} AND t.${tx(name)}::text ~ ${match.pattern}`;
  if (table.name === 'dead_letters') {
    // One from or to the person: given back to its queue it would be nobody's.
    await tx`DELETE FROM dead_letters t
      WHERE ${isOne} AND concat_ws(' ', t.payload ->> 'recipient', t.payload ->> 'from', t.payload ->> 'to') ~ ${match.pattern}`;
  }
  const others = table.columns.filter(({ unique }) => !unique);
  const assign = others.map(
    ({ name, type }, index) =>
      tx`${index === 0 ? tx`` : tx`,`} ${tx(name)} = regexp_replace(t.${tx(name)}::text, ${match.pattern}, ${ERASED}, 'g')::${tx.unsafe(type)}`,
  );
  // The hash is that of the old text.
  const unhash = isMessages ? tx`, content_sha256 = CASE WHEN t.body ~ ${match.pattern} THEN NULL ELSE t.content_sha256 END` : tx``;
  if (others.length > 0) await tx`UPDATE ${tx(table.name)} t SET ${assign} ${unhash} WHERE ${isOne}`;
  return rows.length;
}

function matching(sql: postgres.ISql, table: SearchedTable, { range, pattern, exceptTask }: Match) {
  const texts = table.columns.map(({ name }, index) => sql`${index === 0 ? sql`` : sql`,`} t.${sql(name)}::text`);
  const except = table.name === 'tasks' && exceptTask !== null ? sql`AND t.id <> ${exceptTask}::uuid` : sql``;
  return sql`FROM ${sql(table.name)} t
    WHERE t.ctid >= ${`(${range.from},0)`}::text::tid AND t.ctid < ${`(${range.to},0)`}::text::tid
      AND concat_ws(' ', ${texts}) ~ ${pattern} ${except}`;
}

function ofOthers(sql: postgres.ISql, { name }: SearchedTable, { addresses }: Person) {
  const owner = OWNER[name];
  return owner === undefined ? sql`` : sql`AND (t.${sql(owner)} = ANY (${[...addresses]}::text[])) IS NOT TRUE`;
}

/** Reads a table to its end, which is asked for again: it grows meanwhile. Rows that were moved to pages already read are found by the next search. */
async function eachRange(
  db: Pick<Database, 'sql'>,
  { name }: SearchedTable,
  { signal }: Pick<SearchOptions, 'signal'>,
  run: (range: Range) => Promise<number>,
): Promise<number> {
  let total = 0;
  let end = 0;
  for (let from = 0; ; from += PAGES) {
    signal?.throwIfAborted();
    if (from >= end) end = await countPages(db, name);
    if (from >= end) return total;
    total += await eachPart({ from, to: from + PAGES }, run);
  }
}

/** What takes too long as a whole is done in halves. */
async function eachPart({ from, to }: Range, run: (range: Range) => Promise<number>): Promise<number> {
  try {
    return await repeatAfterRace(() => run({ from, to }));
  } catch (error) {
    if (!isStatementTimeout(error) || to - from <= 1) throw error;
  }
  const middle = Math.ceil((from + to) / 2);
  return (await eachPart({ from, to: middle }, run)) + (await eachPart({ from: middle, to }, run));
}

async function countPages(db: Pick<Database, 'sql'>, table: string): Promise<number> {
  const [row] = await inStatement(
    db.sql,
    (sql) => sql<{ pages: number }[]>`
      SELECT ceil(pg_relation_size(c.oid) / current_setting('block_size')::float8)::int AS pages
      FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ${table}`,
  );
  return row?.pages ?? 0;
}

function listTables(db: Pick<Database, 'sql'>): Promise<SearchedTable[]> {
  return inStatement(
    db.sql,
    (sql) => sql<SearchedTable[]>`
      SELECT c.relname AS name,
        ARRAY (
          SELECT k.attname::text FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS p (attnum, place), pg_attribute k
          WHERE i.indrelid = c.oid AND i.indisprimary AND k.attrelid = c.oid AND k.attnum = p.attnum ORDER BY p.place
        ) AS key,
        jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'unique', EXISTS (
          SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisunique AND a.attnum = ANY (i.indkey)
        )) ORDER BY a.attnum) AS columns
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
      WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
        AND a.atttypid IN ('text'::regtype, 'varchar'::regtype, 'json'::regtype, 'jsonb'::regtype, 'text[]'::regtype)
      GROUP BY c.oid, c.relname ORDER BY c.relname`,
  );
}
