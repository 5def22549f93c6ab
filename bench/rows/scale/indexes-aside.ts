import type postgres from 'postgres';

/** What a load does without: each statement makes one of them again, as the catalogue describes it. */
interface SetAside {
  name: string;
  table: string;
  again: string;
}

/**
 * Runs a load with neither indexes nor triggers on these tables, and makes the indexes afterwards, side by side: one pass over the rows for
 * each, instead of as many random writes as there are rows.
 *
 * Only for tables that nobody else uses. A load that fails leaves the tables without them: drop the database then.
 */
export async function withIndexesAside(
  sql: postgres.Sql,
  tables: readonly string[],
  load: () => Promise<void>,
  onIndex: (name: string, seconds: number) => void,
): Promise<void> {
  const constraints = await sql<SetAside[]>`
    SELECT conname AS name, conrelid::regclass::text AS "table",
      format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS again
    FROM pg_constraint WHERE conrelid = ANY (${[...tables]}::text[]::regclass[]) AND contype IN ('p', 'u')`;
  const indexes = await sql<SetAside[]>`
    SELECT indexrelid::regclass::text AS name, indrelid::regclass::text AS "table", pg_get_indexdef(indexrelid) AS again
    FROM pg_index
    WHERE indrelid = ANY (${[...tables]}::text[]::regclass[]) AND NOT EXISTS (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid)`;
  for (const { name, table } of constraints) await sql.unsafe(`ALTER TABLE ${table} DROP CONSTRAINT "${name}"`);
  for (const { name } of indexes) await sql.unsafe(`DROP INDEX ${name}`);
  for (const table of tables) await sql.unsafe(`ALTER TABLE ${table} DISABLE TRIGGER USER`);
  await load();
  for (const table of tables) await sql.unsafe(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
  for (const { name, again } of [...constraints, ...indexes]) {
    const startedMs = performance.now();
    await sql.unsafe(`SET maintenance_work_mem = '1GB'; ${again}`);
    onIndex(name, (performance.now() - startedMs) / 1_000);
  }
}
