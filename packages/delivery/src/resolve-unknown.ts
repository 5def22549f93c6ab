import { adoptByOperator, type OperatorAdoption } from './adopt-by-operator.ts';
import { closeUnknown } from './close-unknown.ts';
import { inStatement, type Database } from './database.ts';
import { getUnknown } from './list-unknown.ts';
import { ABSENCES_MIN, resendUnknown, type ResentMessage } from './resend-unknown.ts';

export type UnknownDecision = { action: 'adopt'; messageSid: string } | { action: 'resend' } | { action: 'close' };

/**
 * Why a decision was not carried out: what {@link OperatorAdoption} says, `not_found`, `too_young` (its outcome may still come by itself), or
 * `not_absent` (it is not proven that Twilio has no such message).
 */
export type DecisionRefusal = Exclude<OperatorAdoption, 'adopted'> | 'not_found' | 'too_young' | 'not_absent';

/** Carried out, with the row that waits again after a resend; or why not. */
export type DecisionResult = { kind: 'done'; resent: ResentMessage | null } | { kind: 'refused'; why: DecisionRefusal };

const AUDITED = { adopt: 'sid_adopted', resend: 'unknown_resent', close: 'unknown_closed' } as const;

interface DecisionInput {
  id: string;
  attempt: number;
  decision: UnknownDecision;
  actor: string;
  reason: string;
}

/** Says what would keep a decision from being carried out now, as far as a look tells; null = nothing. */
export async function refuseDecision(
  db: Pick<Database, 'sql'>,
  { id, attempt, action }: { id: string; attempt?: number; action: UnknownDecision['action'] },
): Promise<DecisionRefusal | null> {
  const message = await getUnknown(db, id);
  if (message === null) return 'not_found';
  if (message.status !== 'unknown' || (attempt !== undefined && message.attempt !== attempt)) return 'not_unknown';
  if (action === 'adopt') return null;
  if (!message.resolvable) return 'too_young';
  return action === 'resend' && message.absences < ABSENCES_MIN ? 'not_absent' : null;
}

/**
 * Carries out what a person decided about a message whose outcome is unknown. Audited, and safe to repeat: a decision that the same person
 * made about this attempt before counts as carried out.
 */
export async function resolveUnknown(db: Pick<Database, 'sql'>, input: DecisionInput): Promise<DecisionResult> {
  const { id, attempt, decision, actor, reason } = input;
  if (decision.action === 'adopt') {
    const adoption = await adoptByOperator(db, { id, attempt, messageSid: decision.messageSid, actor, reason });
    if (adoption === 'adopted' || (await wasDecided(db, input))) return { kind: 'done', resent: null };
    return { kind: 'refused', why: adoption };
  }
  const resent = decision.action === 'resend' ? await resendUnknown(db, { id, attempt, by: { actor, reason } }) : null;
  const closed = decision.action === 'close' && (await closeUnknown(db, { id, attempt, actor, reason }));
  if (resent !== null || closed || (await wasDecided(db, input))) return { kind: 'done', resent };
  return { kind: 'refused', why: (await refuseDecision(db, { id, attempt, action: decision.action })) ?? 'not_unknown' };
}

async function wasDecided(db: Pick<Database, 'sql'>, { id, attempt, decision, actor }: DecisionInput): Promise<boolean> {
  const details = decision.action === 'adopt' ? { attempt, messageSid: decision.messageSid } : { attempt };
  const rows = await inStatement(
    db.sql,
    (sql) => sql`
      SELECT FROM audit_log
      WHERE message_id = ${id} AND action = ${AUDITED[decision.action]} AND actor = ${actor} AND details = ${JSON.stringify(details)}::text::jsonb`,
  );
  return rows.length > 0;
}
