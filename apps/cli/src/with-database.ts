import { loadConfig } from '@tickmark/runtime';
import type { Database } from '@tickmark/delivery';
import type { CliContext } from './cli-context.ts';
import { CliError } from './cli-error.ts';

export type Delivery = typeof import('@tickmark/delivery');

/**
 * Runs a command's work on the database that DATABASE_URL names, and ends its connections.
 *
 * @throws CliError when the database is away, too old or not migrated; with what to do
 */
export async function withDatabase<R>({ env }: CliContext, run: (db: Database, delivery: Delivery) => Promise<R>): Promise<R> {
  const config = loadConfig(['DATABASE_URL', 'DATABASE_PREPARE'], { env });
  // Loaded here, because most commands need no database and all of them should start fast.
  const delivery = await import('@tickmark/delivery');
  const url = config.DATABASE_URL.reveal();
  const db = delivery.createDatabase({ url, prepare: config.DATABASE_PREPARE, max: 2, applicationName: 'tickmark-cli' });
  try {
    const check = await delivery.checkDatabase(db);
    if (!check.ok) throw new CliError('STORE_UNAVAILABLE', check.reason);
    return await run(db, delivery);
  } catch (error) {
    if (delivery.classifyDatabaseError(error) !== 'infrastructure') throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new CliError('STORE_UNAVAILABLE', `PostgreSQL went away (${reason}). Run this again: it is safe to repeat.`, { cause: error });
  } finally {
    await db.close();
  }
}
