import { readMigrationFiles } from 'drizzle-orm/migrator';
import { DeadlineExceededError, withDeadline } from '@tickmark/runtime';
import type postgres from 'postgres';
import { classifyDatabaseError } from './database-errors.ts';
import { inStatement, type Database } from './database.ts';
import { MIGRATIONS_FOLDER } from './migrations-folder.ts';
import { findServerTooOld } from './server-version.ts';

export type DatabaseCheck = { ok: true } | { ok: false; reason: string };

/** A server that is stopped takes connections and says nothing; whoever asks here has to say something. */
const DEADLINE_MS = 3_000;

/**
 * Whether this release can work with the database: it answers, is PostgreSQL 15 or newer, and has every migration of this release (more
 * of them are fine: a newer release may have been here before).
 *
 * @returns at the latest after `deadlineMs`, with the reason and what to do when not; a database that is away is a reason, not an exception
 */
export async function checkDatabase(db: Pick<Database, 'sql'>, deadlineMs = DEADLINE_MS): Promise<DatabaseCheck> {
  try {
    const reason = await withDeadline(findReason(db), deadlineMs);
    return reason === null ? { ok: true } : { ok: false, reason };
  } catch (error) {
    if (error instanceof DeadlineExceededError) return { ok: false, reason: explainAbsence(`silent for ${deadlineMs / 1000} s`) };
    if (classifyDatabaseError(error) !== 'infrastructure') throw error;
    return { ok: false, reason: explainAbsence((error as { code?: string }).code ?? 'no code') };
  }
}

async function findReason(db: Pick<Database, 'sql'>): Promise<string | null> {
  const tooOld = await inStatement(db.sql, findServerTooOld);
  if (tooOld !== null) return tooOld;
  const missing = await inStatement(db.sql, countMissingMigrations);
  if (missing === 0) return null;
  return `${missing} migration${missing === 1 ? ' is' : 's are'} missing in the database: run "npm run migrate".`;
}

/** What an operator should look at: a server that says why it refuses us is there, and looking for it would be the wrong search. */
function explainAbsence(code: string): string {
  if (code.startsWith('28')) return `PostgreSQL refuses us (${code}): check user, password and access rights in DATABASE_URL.`;
  if (code === '3D000') return `PostgreSQL has no database of this name (${code}): create it, or let DATABASE_URL name another.`;
  if (code === '53300') return `PostgreSQL has no connection left (${code}): raise max_connections or run fewer processes.`;
  return `PostgreSQL does not answer (${code}): check that it runs and that DATABASE_URL names it.`;
}

async function countMissingMigrations(sql: postgres.ISql): Promise<number> {
  const wanted = readMigrationFiles({ migrationsFolder: MIGRATIONS_FOLDER }).map((migration) => migration.folderMillis);
  const [table] = await sql<{ present: boolean }[]>`SELECT to_regclass('drizzle.__drizzle_migrations') IS NOT NULL AS present`;
  if (table?.present !== true) return wanted.length;
  const rows = await sql<{ when: string }[]>`SELECT created_at AS when FROM drizzle.__drizzle_migrations`;
  const present = new Set(rows.map((row) => Number(row.when)));
  return wanted.filter((when) => !present.has(when)).length;
}
