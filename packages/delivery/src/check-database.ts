import { readMigrationFiles } from 'drizzle-orm/migrator';
import type postgres from 'postgres';
import { classifyDatabaseError } from './database-errors.ts';
import { inStatement, type Database } from './database.ts';
import { MIGRATIONS_FOLDER } from './migrations-folder.ts';
import { findServerTooOld } from './server-version.ts';

export type DatabaseCheck = { ok: true } | { ok: false; reason: string };

/**
 * Whether this release can work with the database: it answers, is PostgreSQL 15 or newer, and has every migration of this release (more
 * of them are fine: a newer release may have been here before).
 *
 * @returns the reason and what to do when not; a database that is away is a reason, not an exception
 */
export async function checkDatabase(db: Pick<Database, 'sql'>): Promise<DatabaseCheck> {
  try {
    const tooOld = await inStatement(db.sql, findServerTooOld);
    if (tooOld !== null) return { ok: false, reason: tooOld };
    const missing = await inStatement(db.sql, countMissingMigrations);
    if (missing === 0) return { ok: true };
    return { ok: false, reason: `${missing} migration${missing === 1 ? ' is' : 's are'} missing in the database: run "npm run migrate".` };
  } catch (error) {
    if (classifyDatabaseError(error) !== 'infrastructure') throw error;
    const code = (error as { code?: string }).code ?? 'no code';
    return { ok: false, reason: `PostgreSQL does not answer (${code}): check that it runs and that DATABASE_URL names it.` };
  }
}

async function countMissingMigrations(sql: postgres.ISql): Promise<number> {
  const wanted = readMigrationFiles({ migrationsFolder: MIGRATIONS_FOLDER }).map((migration) => migration.folderMillis);
  const [table] = await sql<{ present: boolean }[]>`SELECT to_regclass('drizzle.__drizzle_migrations') IS NOT NULL AS present`;
  if (table?.present !== true) return wanted.length;
  const rows = await sql<{ when: string }[]>`SELECT created_at AS when FROM drizzle.__drizzle_migrations`;
  const present = new Set(rows.map((row) => Number(row.when)));
  return wanted.filter((when) => !present.has(when)).length;
}
