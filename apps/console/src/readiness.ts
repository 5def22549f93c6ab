import { checkDatabase, type Database, type DatabaseCheck } from '@tickmark/delivery';
import type { Producers } from '@tickmark/queues';
import type { Readiness } from '@tickmark/runtime';

/** Ready when Redis and Postgres answer and every migration is there; else every reason why not, in words for an operator. */
export async function checkReadiness(db: Database, producers: Pick<Producers, 'check'>): Promise<Readiness> {
  const checks = await Promise.all([checkStore(db), producers.check()]);
  const reasons = checks.flatMap((check) => (check.ok ? [] : [check.reason]));
  return { ready: reasons.length === 0, reasons };
}

export async function isDatabaseReady(db: Database): Promise<boolean> {
  return (await checkStore(db)).ok;
}

async function checkStore(db: Database): Promise<DatabaseCheck> {
  try {
    return await checkDatabase(db);
  } catch (error) {
    // A wrong password or database name: the server answers, but not to us.
    const { code = 'no code' } = error as { code?: string };
    return { ok: false, reason: `PostgreSQL refuses us (${code}): check the user, password and database name in DATABASE_URL.` };
  }
}
