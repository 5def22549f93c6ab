import type postgres from 'postgres';
import { applyEvidence, LostRaceError } from './apply-evidence.ts';
import { evidenceOfCreate, type Evidence } from './evidence.ts';

export interface AdoptedSid {
  id: string;
  attempt: number;
  sid: string;
  /** When Twilio made the message, if that is known. */
  queuedAt: Date | null;
}

/**
 * Gives sids to rows that are unknown, have none, and are locked by this transaction. An external row that has the sid goes away; what it
 * knew stays. The row is `queued` at least; what the list says of its status is applied afterwards, like any other status.
 *
 * @throws a race (SQLSTATE 40001) when somebody else bound one of the sids meanwhile: then the transaction is to be repeated
 */
export async function bindAdopted(tx: postgres.ISql, items: readonly AdoptedSid[]): Promise<void> {
  const applied = await applyEvidence(tx, items.map(toEvidence));
  for (const { id, sid } of items) {
    const place = applied.get(sid);
    if (place?.bound !== true || place.messageId !== id) throw new LostRaceError('an adopted sid found another owner');
  }
  await tx`
    UPDATE whatsapp_messages m SET sid_source = 'adopted'
    FROM unnest(${items.map(({ id }) => id)}::uuid[], ${items.map(({ sid }) => sid)}::text[]) AS a (id, sid)
    WHERE m.id = a.id AND m.message_sid = a.sid AND m.sid_source = 'callback'`;
}

function toEvidence({ id, attempt, sid, queuedAt }: AdoptedSid): Evidence {
  const evidence = evidenceOfCreate(sid, id, attempt);
  return { ...evidence, projection: { ...evidence.projection, queuedAt: queuedAt?.getTime() ?? null } };
}
