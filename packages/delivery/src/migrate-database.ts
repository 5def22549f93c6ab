import { drizzle } from 'drizzle-orm/postgres-js';
import { migrate } from 'drizzle-orm/postgres-js/migrator';
import postgres from 'postgres';
import type { DeliveryLog } from './delivery-log.ts';
import { MIGRATIONS_FOLDER } from './migrations-folder.ts';
import { findServerTooOld } from './server-version.ts';

const CONNECT_TIMEOUT_SECONDS = 10;

/**
 * Applies the migrations of `drizzle/` that the database does not have, all of them in one transaction.
 *
 * Safe to repeat, and safe when several processes do it at once: they wait for each other, and the later ones find nothing to do.
 *
 * @returns how many were applied by this call
 * @throws when the server is older than 15 (the message says what to do), is away, or refuses a statement; then nothing was applied
 */
export async function migrateDatabase({ url, log }: { url: string; log?: DeliveryLog }): Promise<{ applied: number }> {
  const options = {
    max: 1,
    prepare: false,
    connect_timeout: CONNECT_TIMEOUT_SECONDS,
    onnotice: () => {},
    connection: { application_name: 'tickmark-migrate' },
  };
  // The lock belongs to a transaction on a connection of its own: a session's lock would get lost, or stay for ever, behind PgBouncer.
  const lockClient = postgres(url, options);
  const client = postgres(url, options);
  try {
    return await lockClient.begin(async (tx) => {
      const tooOld = await findServerTooOld(tx);
      if (tooOld !== null) throw new Error(tooOld);
      await tx`SELECT set_config('idle_in_transaction_session_timeout', '0', true), set_config('statement_timeout', '0', true)`;
      await tx`SELECT pg_advisory_xact_lock(hashtextextended('tickmark migrations', 0))`;
      const before = await countApplied(client);
      await migrate(drizzle(client), { migrationsFolder: MIGRATIONS_FOLDER });
      const applied = (await countApplied(client)) - before;
      log?.info({ applied }, 'database migrated');
      return { applied };
    });
  } finally {
    await Promise.all([lockClient.end({ timeout: 1 }), client.end({ timeout: 1 })]);
  }
}

async function countApplied(sql: postgres.Sql): Promise<number> {
  const [table] = await sql<{ present: boolean }[]>`SELECT to_regclass('drizzle.__drizzle_migrations') IS NOT NULL AS present`;
  if (table?.present !== true) return 0;
  const [row] = await sql<{ count: number }[]>`SELECT count(*)::int AS count FROM drizzle.__drizzle_migrations`;
  return row?.count ?? 0;
}
