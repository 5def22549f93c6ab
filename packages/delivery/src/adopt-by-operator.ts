import { listedStatusEvent } from '@tickmark/domain';
import type postgres from 'postgres';
import { applyStatuses } from './apply-statuses.ts';
import { bindAdopted } from './bind-adopted.ts';
import { inTransaction, type Database } from './database.ts';
import { findBoundSids } from './find-bound-sids.ts';
import { hasSending } from './has-sending.ts';
import { getUnknown } from './list-unknown.ts';
import { lockPair, type Pair } from './lock-pair.ts';
import { settleBatch } from './settle-batch.ts';
import { writeAudit } from './write-audit.ts';

/**
 * - `adopted`. · `not_unknown`: the row is not unknown any more, or has another attempt.
 * - `taken`: a row or attempt of ours has the sid. · `sending`: a call of the same sender to the same person is under way.
 */
export type OperatorAdoption = 'adopted' | 'not_unknown' | 'taken' | 'sending';

export interface OperatorAdoptionInput {
  id: string;
  attempt: number;
  messageSid: string;
  actor: string;
  reason: string;
}

/**
 * Takes a sid for that of an unknown message because a person says so. As weak as an adoption by the reconciler: the row that a callback
 * or a record names takes it away again. Safe to repeat.
 */
export async function adoptByOperator(db: Pick<Database, 'sql'>, input: OperatorAdoptionInput): Promise<OperatorAdoption> {
  const [settled] = await settleBatch([input], async () => [await inTransaction(db.sql, (tx) => adoptUnderLock(tx, input))]);
  if (settled?.ok !== true) throw settled?.error;
  if (settled.value === 'adopted') await applyListedStatus(db, input);
  return settled.value;
}

/** What the list told of the message, if it is among the candidates: the same way as any other status. */
async function applyListedStatus(db: Pick<Database, 'sql'>, { id, messageSid }: OperatorAdoptionInput): Promise<void> {
  const message = await getUnknown(db, id);
  const candidate = message?.candidates.find(({ sid }) => sid === messageSid);
  if (!candidate) return;
  const listed = { messageSid, rawStatus: candidate.status, errorCode: null, from: null, messagingServiceSid: null };
  const [settled] = await applyStatuses(db, [listedStatusEvent(listed, new Date().toISOString())]);
  if (settled?.ok === false) throw settled.error;
}

async function adoptUnderLock(
  tx: postgres.ISql,
  { id, attempt, messageSid, actor, reason }: OperatorAdoptionInput,
): Promise<OperatorAdoption> {
  const [pair] = await tx<Pair[]>`SELECT sender_address AS "senderAddress", recipient FROM whatsapp_messages WHERE id = ${id}`;
  if (!pair) return 'not_unknown';
  await lockPair(tx, pair);
  const unknown = await tx`
    SELECT FROM whatsapp_messages
    WHERE id = ${id} AND status = 'unknown' AND attempts = ${attempt} AND message_sid IS NULL
    FOR NO KEY UPDATE`;
  if (unknown.length === 0) return 'not_unknown';
  if ((await findBoundSids(tx, [messageSid])).has(messageSid)) return 'taken';
  if (await hasSending(tx, pair)) return 'sending';
  await bindAdopted(tx, [{ id, attempt, sid: messageSid, queuedAt: null }]);
  await writeAudit(tx, [{ actor, action: 'sid_adopted', messageId: id, reason, details: { messageSid, attempt } }]);
  return 'adopted';
}
