import type { Archive } from '../archive/archive.ts';
import { inStatement, type Database } from '../database.ts';

const KEY = 'archive';

/** Remembers that rows went to this archive. */
export async function noteArchive(db: Pick<Database, 'sql'>, archive: Archive): Promise<void> {
  const identity = await archive.readIdentity();
  await inStatement(
    db.sql,
    (sql) => sql`
      INSERT INTO system_state (key, value) VALUES (${KEY}, ${identity})
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now() WHERE system_state.value <> excluded.value`,
  );
}

/** Whether rows went to an archive that is not the given one: whoever searches this one has not searched all. */
export async function isArchiveElsewhere(db: Pick<Database, 'sql'>, archive: Archive | null): Promise<boolean> {
  const [row] = await inStatement(db.sql, (sql) => sql<{ value: string }[]>`SELECT value FROM system_state WHERE key = ${KEY}`);
  return row !== undefined && row.value !== (await archive?.readIdentity());
}
