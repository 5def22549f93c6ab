import { inStatement, type Database } from './database.ts';

const KEY = 'redis_epoch';

export interface KnownEpoch {
  epoch: string;
  /** Since it was noted, by the database's clock. */
  ageMs: number;
}

/** The epoch of the Redis that holds a job for every waiting row; null when none was ever noted. */
export async function readKnownEpoch(db: Pick<Database, 'sql'>): Promise<KnownEpoch | null> {
  const [row] = await inStatement(
    db.sql,
    (sql) => sql<KnownEpoch[]>`
      SELECT value AS epoch, extract(epoch FROM now() - updated_at)::float8 * 1000 AS "ageMs" FROM system_state WHERE key = ${KEY}`,
  );
  return row ?? null;
}

/** Notes the epoch of a Redis that was given everything that it has to hold. Safe to repeat. */
export async function noteEpoch(db: Pick<Database, 'sql'>, epoch: string): Promise<void> {
  await inStatement(
    db.sql,
    (sql) => sql`
      INSERT INTO system_state (key, value) VALUES (${KEY}, ${epoch})
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()`,
  );
}
