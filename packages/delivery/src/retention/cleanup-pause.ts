import { inStatement, type Database } from '../database.ts';

const KEY = 'cleanup_paused_until';

/** Until when no row is deleted, as ISO 8601 in UTC; null when nothing says so. */
export async function readCleanupPause(db: Pick<Database, 'sql'>): Promise<string | null> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql<{ value: string }[]>`SELECT value FROM system_state WHERE key = ${KEY} AND value::timestamptz > now()`,
  );
  return rows[0]?.value ?? null;
}

/** Keeps the cleanup from deleting rows for so many days from now, and longer if that is what holds already. @returns until when */
export async function pauseCleanup(db: Pick<Database, 'sql'>, days: number): Promise<string> {
  const [row] = await inStatement(
    db.sql,
    (sql) => sql<{ value: string }[]>`
      INSERT INTO system_state (key, value)
      VALUES (${KEY}, to_char((now() + ${days} * interval '1 day') AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      ON CONFLICT (key) DO UPDATE SET value = GREATEST(system_state.value, excluded.value), updated_at = now()
      RETURNING value`,
  );
  return row?.value ?? '';
}
