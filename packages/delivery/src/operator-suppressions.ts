import { inStatement, inTransaction, type Database } from './database.ts';
import { upsertSuppressions, type SuppressionEvent } from './record-suppressions.ts';
import { settleBatch } from './settle-batch.ts';
import { writeAudit, type AuditEntry } from './write-audit.ts';

/** Somebody who is not written to. */
export interface Suppression extends Pick<SuppressionEvent, 'senderAddress' | 'recipient' | 'category' | 'source' | 'reason'> {
  /** Alias; null when the address is none of our senders. */
  sender: string | null;
  /** When it was said, ISO 8601 in UTC. */
  at: string;
}

/** Who is not written to now, the newest first; of one person or one sender when they are given. */
export async function listSuppressions(
  db: Pick<Database, 'sql'>,
  { recipient, senderAddress, limit }: { recipient: string | null; senderAddress: string | null; limit: number },
): Promise<Suppression[]> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql<(Omit<Suppression, 'at'> & { at: Date })[]>`
      SELECT s.sender_address AS "senderAddress", n.alias AS sender, s.recipient, s.category, s.source, s.reason, s.event_at AS at
      FROM suppressions s LEFT JOIN senders n ON n.address = s.sender_address
      WHERE s.suppressed AND (${recipient}::text IS NULL OR s.recipient = ${recipient})
        AND (${senderAddress}::text IS NULL OR s.sender_address = ${senderAddress})
      ORDER BY s.event_at DESC, s.recipient, s.sender_address, s.category LIMIT ${limit}`,
  );
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
}

/**
 * Writes down what an operator says about people, and who said it, in one transaction. Safe to repeat: what was said later holds.
 *
 * @returns how many of the events changed what holds
 */
export async function changeSuppressions(
  db: Pick<Database, 'sql'>,
  events: readonly SuppressionEvent[],
  audit: Omit<AuditEntry, 'messageId'>,
): Promise<number> {
  // One item: it is all of them or none, again after a lost race.
  const [settled] = await settleBatch([events], async () => [
    await inTransaction(db.sql, async (tx) => {
      const changed = await upsertSuppressions(tx, events);
      const positions = new Set(changed.map(({ position }) => position)).size;
      await writeAudit(tx, [{ ...audit, messageId: null, details: { ...audit.details, changed: positions } }]);
      return positions;
    }),
  ]);
  if (settled?.ok !== true) throw settled?.error;
  return settled.value;
}
