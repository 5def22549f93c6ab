import { inTransaction, type Database } from './database.ts';

/**
 * The lock's own connection says nothing while the work goes on elsewhere, so it gives a sign of life; a process that stands still gives none,
 * and the server takes its lock away.
 */
const SIGNS_OF_LIFE = { everyMs: 10_000, idleMsMax: 60_000 };

export type AdvisoryLockResult<R> = { ran: true; value: R } | { ran: false };

/**
 * Runs something in one process at a time. The lock ends with its transaction, so a process that dies or stands still or a pooler cannot leave
 * it behind.
 *
 * @returns `ran: false`, at once, when another holds the lock. What `run` throws comes through.
 */
export function withAdvisoryLock<R>(
  db: Pick<Database, 'sql'>,
  name: string,
  run: () => Promise<R>,
  { everyMs, idleMsMax } = SIGNS_OF_LIFE,
): Promise<AdvisoryLockResult<R>> {
  return inTransaction<AdvisoryLockResult<R>>(db.sql, async (tx) => {
    const [row] = await tx<{ locked: boolean }[]>`
      SELECT pg_try_advisory_xact_lock(hashtextextended(${name}, 0)) AS locked,
        set_config('idle_in_transaction_session_timeout', ${String(idleMsMax)}, true)`;
    if (row?.locked !== true) return { ran: false };
    // One at a time, and none beside the end of the transaction: a connection serves one statement at a time.
    let sign: Promise<unknown> | undefined;
    const signs = setInterval(() => {
      // Should the connection be gone, the end of the transaction tells.
      sign ??= tx`SELECT`
        .catch(() => undefined)
        .finally(() => {
          sign = undefined;
        });
    }, everyMs);
    try {
      return { ran: true, value: await run() };
    } finally {
      clearInterval(signs);
      await sign;
    }
  });
}
