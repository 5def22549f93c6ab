import type { Archive } from '../archive/archive.ts';
import { inStatement, type Database } from '../database.ts';

const KEY = 'archive';

/** Remembers that rows went to this archive, beside those that they went to before. */
export async function noteArchive(db: Pick<Database, 'sql'>, archive: Archive): Promise<void> {
  const [identity = ''] = await archive.readIdentities();
  await inStatement(
    db.sql,
    (sql) => sql`
      INSERT INTO system_state (key, value) VALUES (${KEY}, ${identity})
      ON CONFLICT (key) DO UPDATE SET value = system_state.value || ' ' || excluded.value, updated_at = now()
      WHERE excluded.value <> ALL (string_to_array(system_state.value, ' '))`,
  );
}

/** Archives to which rows went and which are not the given one: whoever searches this one has not searched all. */
export async function findArchivesElsewhere(db: Pick<Database, 'sql'>, archive: Archive | null): Promise<string[]> {
  const [row] = await inStatement(db.sql, (sql) => sql<{ value: string }[]>`SELECT value FROM system_state WHERE key = ${KEY}`);
  const here = new Set(row === undefined ? [] : await archive?.readIdentities());
  return (row?.value ?? '').split(' ').filter((identity) => identity !== '' && !here.has(identity));
}
