import { inTransaction, type Database } from './database.ts';
import { RESOLVE_AFTER_SECONDS } from './resend-unknown.ts';
import { writeAudit } from './write-audit.ts';

/**
 * Gives a message up whose outcome is unknown: it is failed, without an error code. What is heard of it later still wins.
 *
 * @returns false when it is not unknown any more, has another attempt, or is younger than five minutes; nothing was changed then
 */
export function closeUnknown(
  db: Pick<Database, 'sql'>,
  { id, attempt, actor, reason }: { id: string; attempt: number; actor: string; reason: string },
): Promise<boolean> {
  return inTransaction(db.sql, async (tx) => {
    const rows = await tx`
      UPDATE whatsapp_messages SET status = 'failed', rank = 50, error_code = NULL, failed_at = now(), updated_at = now()
      WHERE id = ${id} AND status = 'unknown' AND attempts = ${attempt} AND message_sid IS NULL
        AND claimed_at < now() - ${RESOLVE_AFTER_SECONDS} * interval '1 second'
      RETURNING id`;
    if (rows.length === 0) return false;
    await writeAudit(tx, [{ actor, action: 'unknown_closed', messageId: id, reason, details: { attempt } }]);
    return true;
  });
}
