import { inStatement, inTransaction, type Database } from './database.ts';
import { writeAudit } from './write-audit.ts';

/** A queue item that could not be carried out, without what it holds: that may be personal. */
export interface DeadLetterShown {
  id: number;
  queue: string;
  /** ISO 8601 in UTC. */
  keptAt: string;
  reason: string;
  /** The message or Twilio's message that it is about, as far as it tells. */
  messageId: string | null;
  messageSid: string | null;
  /** When an operator asked for another try that no worker has made yet. */
  retryRequestedAt: string | null;
}

/** Which letters are meant: certain ones, or all of a queue, or all. */
export interface DeadLetterChoice {
  ids: readonly number[] | null;
  queue: string | null;
}

interface Operator {
  actor: string;
  reason: string;
}

/** The letters, the oldest first, `limit` at most. */
export async function listDeadLetters(
  db: Pick<Database, 'sql'>,
  { queue, limit }: { queue: string | null; limit: number },
): Promise<DeadLetterShown[]> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql<(Omit<DeadLetterShown, 'keptAt' | 'retryRequestedAt'> & { keptAt: Date; retryRequestedAt: Date | null })[]>`
      SELECT id::float8 AS id, queue, created_at AS "keptAt", reason, payload->>'id' AS "messageId", payload->>'messageSid' AS "messageSid",
        retry_requested_at AS "retryRequestedAt"
      FROM dead_letters WHERE ${queue}::text IS NULL OR queue = ${queue}
      ORDER BY id LIMIT ${limit}`,
  );
  return rows.map((row) => ({
    ...row,
    keptAt: row.keptAt.toISOString(),
    retryRequestedAt: row.retryRequestedAt?.toISOString() ?? null,
  }));
}

/** Asks the workers to try letters again, audited. Safe to repeat. @returns the letters that wait for it now */
export function requestRetry(db: Pick<Database, 'sql'>, choice: DeadLetterChoice, operator: Operator): Promise<number[]> {
  return inTransaction(db.sql, async (tx) => {
    const rows = await tx<{ id: number }[]>`
      UPDATE dead_letters SET retry_requested_at = now() WHERE id IN (${chosen(tx, choice)}) RETURNING id::float8 AS id`;
    return audited(tx, rows, 'dead_letters_retried', choice, operator);
  });
}

/** Deletes letters for good, audited; one that is about to be tried again as well. @returns those that were there */
export function discardDeadLetters(db: Pick<Database, 'sql'>, choice: DeadLetterChoice, operator: Operator): Promise<number[]> {
  return inTransaction(db.sql, async (tx) => {
    const rows = await tx<{ id: number }[]>`
      DELETE FROM dead_letters WHERE id IN (${chosen(tx, choice)}) RETURNING id::float8 AS id`;
    return audited(tx, rows, 'dead_letters_discarded', choice, operator);
  });
}

export interface RequestedLetter {
  id: number;
  queue: string;
  payload: unknown;
}

/** The letters that an operator wants tried again, the oldest first, `limit` at most. */
export function findRequestedLetters(db: Pick<Database, 'sql'>, { limit }: { limit: number }): Promise<RequestedLetter[]> {
  return inStatement(
    db.sql,
    (sql) => sql<RequestedLetter[]>`
      SELECT id::float8 AS id, queue, payload FROM dead_letters WHERE retry_requested_at IS NOT NULL ORDER BY id LIMIT ${limit}`,
  );
}

/** Forgets a letter whose queue has it again. */
export async function deleteRequestedLetter(db: Pick<Database, 'sql'>, id: number): Promise<void> {
  await inStatement(db.sql, (sql) => sql`DELETE FROM dead_letters WHERE id = ${id}`);
}

/** Keeps a letter that cannot be given back, with the reason for it, until an operator asks again. */
export async function refuseRetry(db: Pick<Database, 'sql'>, id: number, reason: string): Promise<void> {
  await inStatement(db.sql, (sql) => sql`UPDATE dead_letters SET retry_requested_at = NULL, reason = ${reason} WHERE id = ${id}`);
}

type Transaction = Parameters<Parameters<typeof inTransaction>[1]>[0];

/** Locked in the order of their ids, so that two operators wait for each other instead of for ever. */
function chosen(tx: Transaction, { ids, queue }: DeadLetterChoice) {
  return tx`
    SELECT id FROM dead_letters
    WHERE (${ids === null}::boolean OR id = ANY (${[...(ids ?? [])].map(String)}::bigint[])) AND (${queue}::text IS NULL OR queue = ${queue})
    ORDER BY id FOR UPDATE`;
}

async function audited(
  tx: Transaction,
  rows: readonly { id: number }[],
  action: string,
  { queue }: DeadLetterChoice,
  { actor, reason }: Operator,
): Promise<number[]> {
  const ids = rows.map(({ id }) => id).toSorted((a, b) => a - b);
  if (ids.length > 0) {
    const details = { letters: ids.length, first: ids.at(0) ?? null, last: ids.at(-1) ?? null, queue };
    await writeAudit(tx, [{ actor, action, messageId: null, reason, details }]);
  }
  return ids;
}
