import type { Priority } from '@tickmark/domain';
import type postgres from 'postgres';
import { inTransaction, type Database } from './database.ts';
import { SYSTEM_ACTOR, writeAudit } from './write-audit.ts';

/** Who decides: the message's own policy, or a person. */
export type Resolver = 'policy' | { actor: string; reason: string };

/** The row waits again and needs a job. */
export interface ResentMessage {
  id: string;
  sender: string;
  priority: Priority;
}

/** Looks that must have proven, each under positive control, that nothing was created. */
export const ABSENCES_MIN = 2;

/** Before this age of a claim nobody resends or closes: its outcome may still come by itself. */
export const RESOLVE_AFTER_SECONDS = 300;

/** Attempts so close together that a listed message might belong to either. */
const SIBLING_SECONDS = 80;

/**
 * Lets a message be sent once more whose outcome is unknown and whose absence at Twilio is proven twice: the row is `retrying`, due now.
 *
 * By policy only once per message, and only while no other message of the same pair and time adopted a sid: that sid might be this one's.
 * A person may decide otherwise. Safe to repeat: each attempt is resent once.
 *
 * @returns null when a guard does not hold; nothing was changed then
 */
export function resendUnknown(db: Pick<Database, 'sql'>, input: ResendInput): Promise<ResentMessage | null> {
  return inTransaction(db.sql, (tx) => resendUnknownIn(tx, input));
}

export interface ResendInput {
  id: string;
  attempt: number;
  by: Resolver;
}

/** The same within a transaction. */
export async function resendUnknownIn(tx: postgres.ISql, { id, attempt, by }: ResendInput): Promise<ResentMessage | null> {
  const [row] = await tx<ResentMessage[]>`
    UPDATE whatsapp_messages m SET status = 'retrying', due_at = now(), resends = resends + 1, updated_at = now()
    WHERE m.id = ${id} AND m.status = 'unknown' AND m.attempts = ${attempt} AND m.message_sid IS NULL
      AND m.claimed_at < now() - ${RESOLVE_AFTER_SECONDS} * interval '1 second' AND m.sender IS NOT NULL
      AND (SELECT s.absences FROM outcome_searches s WHERE s.message_id = m.id AND s.attempt = m.attempts) >= ${ABSENCES_MIN}
      -- Another row sends it already: an adoption that was revoked had failed, and was retried.
      AND NOT EXISTS (SELECT FROM whatsapp_messages r WHERE r.retry_of = m.id)
      ${by === 'policy' ? tx`AND ${allowedByPolicy(tx)}` : tx``}
    RETURNING m.id, m.sender, m.priority`;
  if (!row) return null;
  const [actor, reason] = by === 'policy' ? [SYSTEM_ACTOR, null] : [by.actor, by.reason];
  await writeAudit(tx, [{ actor, action: 'unknown_resent', messageId: id, reason, details: { attempt } }]);
  return row;
}

function allowedByPolicy(tx: postgres.ISql) {
  return tx`m.on_unknown = 'resend' AND m.resends = 0 AND NOT EXISTS (
    SELECT FROM whatsapp_messages o
    WHERE o.recipient = m.recipient AND o.sender_address = m.sender_address AND o.sid_source = 'adopted' AND o.id <> m.id
      AND o.claimed_at BETWEEN m.claimed_at - ${SIBLING_SECONDS} * interval '1 second' AND m.claimed_at + ${SIBLING_SECONDS} * interval '1 second')`;
}
