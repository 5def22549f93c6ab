import { inTransaction, type Database } from './database.ts';

/** Work under a lock may take minutes, while the lock's own connection says nothing. */
const IDLE_TIMEOUT = '15min';

export type AdvisoryLockResult<R> = { ran: true; value: R } | { ran: false };

/**
 * Runs something in one process at a time. The lock ends with its transaction, so a process that dies or a pooler cannot leave it behind.
 *
 * @returns `ran: false`, at once, when another holds the lock. What `run` throws comes through.
 */
export function withAdvisoryLock<R>(db: Pick<Database, 'sql'>, name: string, run: () => Promise<R>): Promise<AdvisoryLockResult<R>> {
  return inTransaction<AdvisoryLockResult<R>>(db.sql, async (tx) => {
    const [row] = await tx<{ locked: boolean }[]>`
      SELECT pg_try_advisory_xact_lock(hashtextextended(${name}, 0)) AS locked,
        set_config('idle_in_transaction_session_timeout', ${IDLE_TIMEOUT}, true)`;
    return row?.locked === true ? { ran: true, value: await run() } : { ran: false };
  });
}
