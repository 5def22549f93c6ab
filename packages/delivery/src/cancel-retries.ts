import type postgres from 'postgres';
import { inTransaction, type Database } from './database.ts';
import { SYSTEM_ACTOR, writeAudit } from './write-audit.ts';

/** What happened to the retried message, as the audit log says it. */
type Because = 'arrived' | 'revoked' | 'canceled';

/**
 * Cancels the retries of messages that arrived after all, as long as they wait or are held; one that is under way or sent is left alone.
 * Audited, and safe to repeat.
 *
 * @param ids the messages that were retried
 * @returns ids of the retries that were canceled
 */
export async function cancelRetries(db: Pick<Database, 'sql'>, ids: readonly string[]): Promise<string[]> {
  const canceled = await inTransaction(db.sql, (tx) => cancelRetriesOf(tx, ids, 'arrived'));
  return [...canceled.values()];
}

/**
 * The same within a transaction. In a statement of its own after the one that locked the retried messages: it sees the retries that
 * others made before they let go of them.
 *
 * @returns the retried messages whose retry was canceled, each with the id of that
 */
export async function cancelRetriesOf(tx: postgres.ISql, ids: readonly string[], because: Because): Promise<Map<string, string>> {
  const canceled = await tx<{ id: string; retryOf: string }[]>`
    WITH waiting AS MATERIALIZED (
      SELECT id FROM whatsapp_messages
      WHERE retry_of = ANY (${[...ids]}::uuid[]) AND status IN ('accepted', 'scheduled', 'retrying', 'held') AND message_sid IS NULL
      -- In key order, so that two batches with the same rows wait for each other instead of for ever.
      ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE whatsapp_messages m SET status = 'canceled', rank = 50, updated_at = now()
    FROM waiting w
    WHERE m.id = w.id
    RETURNING m.id, m.retry_of AS "retryOf"`;
  if (canceled.length > 0) {
    const entry = { actor: SYSTEM_ACTOR, action: 'retry_canceled' };
    await writeAudit(
      tx,
      canceled.map(({ id, retryOf }) => ({ ...entry, messageId: id, details: { [because]: retryOf } })),
    );
  }
  return new Map(canceled.map(({ id, retryOf }) => [retryOf, id]));
}
