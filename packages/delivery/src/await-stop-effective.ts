import { setTimeout as pause } from 'node:timers/promises';
import { monotonicNowMs } from '@tickmark/runtime';
import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';
import type { StopTarget } from './send-stops.ts';

/** A call begins at most 5 s after its claim was asked for and lasts at most 10 s: a claim older than this has no call under way. */
const CLAIM_TO_END_OF_CALL_SECONDS = 16;

const LOOK_AGAIN_MS = 50;

export interface StopEffective {
  /** `sight`: nothing of the scope is under way. `time`: a process may have died with it, but so long after the stop no call can be. */
  provenBy: 'sight' | 'time';
}

/**
 * Waits until nothing of a stop's scope can leave any more. Call it after {@link openStop} has returned; only then may a person be told that
 * the stop holds.
 *
 * A claim that began before the stop was committed does not see it and may still be granted: first every statement that was writing
 * messages at that time has to end, then every call that follows from a claim. Ends after `deadlineMs` in any case (default 16 s, the
 * longest that a claim and its call can take). Safe to repeat, and for a stop that was open before.
 */
export async function awaitStopEffective(
  db: Pick<Database, 'sql'>,
  stop: StopTarget,
  { deadlineMs = CLAIM_TO_END_OF_CALL_SECONDS * 1_000 }: { deadlineMs?: number } = {},
): Promise<StopEffective> {
  const startedMs = monotonicNowMs();
  const writers = await inStatement(db.sql, findWriters);
  const isUnderWay = async () =>
    // In this order and as two statements: the second one's snapshot must see what the writers committed.
    (await inStatement(db.sql, (sql) => areRunning(sql, writers))) || (await inStatement(db.sql, (sql) => hasCalls(sql, stop)));
  while (await isUnderWay()) {
    if (monotonicNowMs() - startedMs > deadlineMs) return { provenBy: 'time' };
    await pause(LOOK_AGAIN_MS);
  }
  return { provenBy: 'sight' };
}

/**
 * The transactions that write messages now, by their locks on the table. A statement takes its lock before its snapshot, so one that has no
 * lock yet will see what is committed by now. (The oldest snapshots in pg_stat_activity would prove it too, but a dump or a report that
 * runs for an hour holds those back, and other roles may not see them.)
 */
async function findWriters(sql: postgres.ISql): Promise<string[]> {
  const rows = await sql<{ transaction: string }[]>`
    SELECT DISTINCT virtualtransaction AS transaction FROM pg_locks
    WHERE locktype = 'relation' AND relation = 'whatsapp_messages'::regclass AND mode = 'RowExclusiveLock' AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  return rows.map((row) => row.transaction);
}

async function areRunning(sql: postgres.ISql, transactions: readonly string[]): Promise<boolean> {
  if (transactions.length === 0) return false;
  const rows = await sql`SELECT FROM pg_locks WHERE virtualtransaction = ANY (${[...transactions]}::text[]) LIMIT 1`;
  return rows.length > 0;
}

async function hasCalls(sql: postgres.ISql, { scope, target }: StopTarget): Promise<boolean> {
  const rows = await sql`
    SELECT FROM whatsapp_messages
    WHERE open_status = 'sending' AND claimed_at > now() - ${CLAIM_TO_END_OF_CALL_SECONDS}::int * interval '1 second'
      -- A row does not keep whose credentials its call is made with.
      AND CASE ${scope} WHEN 'sender' THEN sender = ${target} WHEN 'campaign' THEN campaign = ${target}
        WHEN 'template' THEN content_sid = ${target} ELSE true END
    LIMIT 1`;
  return rows.length > 0;
}
