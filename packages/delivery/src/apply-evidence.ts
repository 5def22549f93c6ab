import type { MessageStatus } from '@tickmark/domain';
import type postgres from 'postgres';
import { applyEvidenceToAttempts } from './apply-evidence-to-attempts.ts';
import { applyEvidenceToMessages, type MessageEvidenceResult } from './apply-evidence-to-messages.ts';
import { bindOlderAttempts } from './bind-older-attempts.ts';
import type { Evidence } from './evidence.ts';
import { makeMissingRows, type MakeLostRows } from './make-missing-rows.ts';
import { releaseAdoptions } from './release-adoptions.ts';
import { releaseSids } from './release-sids.ts';
import { SYSTEM_ACTOR, writeAudit } from './write-audit.ts';

/** Where one evidence ended. */
export interface AppliedEvidence {
  /** `message`: on the row · `attempt`: on an older attempt · `other_sid`: nowhere, its attempt has another sid · `deleted`: nowhere. */
  place: 'message' | 'attempt' | 'other_sid' | 'deleted';
  /** Null for `deleted`. */
  messageId: string | null;
  attempt: number | null;
  /** A row that was made for it. */
  made: 'external' | 'recovered' | null;
  bound: boolean;
  /** The message before and after; `from` is null when its row was made here. */
  from: MessageStatus | null;
  to: MessageStatus | null;
  errorCode: number | null;
  contradicted: boolean;
  sender: string | null;
  contentSid: string | null;
  campaign: string | null;
  startedAt: Date | null;
  sentFirst: boolean;
  deliveredFirst: boolean;
  readFirst: boolean;
}

/** Making a row, releasing a sid and binding it take a round each; what needs more has raced with others and comes again as a batch. */
const ROUNDS_MAX = 6;

/** Read by its code like PostgreSQL's own "could not serialize": the batch is given again. */
export class LostRaceError extends Error {
  readonly code = '40001';
}

/**
 * Applies evidences to the rows that they belong to, in one transaction: binds sids, makes lost rows again, raises statuses.
 *
 * The common evidence needs one statement; the rest is prepared until that statement fits it too.
 *
 * @param madeBefore the sids for which a row was made for this batch already (see makeExternalRows, makeRecoveredRows)
 * @param makeLost makes the rows that are lost; by default within this transaction
 */
export async function applyEvidence(
  tx: postgres.ISql,
  items: readonly Evidence[],
  madeBefore: ReadonlyMap<string, 'external' | 'recovered'> = new Map(),
  makeLost?: MakeLostRows,
): Promise<Map<string, AppliedEvidence>> {
  const applied = new Map<string, AppliedEvidence>();
  const made = new Map(madeBefore);
  let waiting = [...items];
  for (let round = 1; waiting.length > 0; round += 1) {
    if (round > ROUNDS_MAX) throw new LostRaceError('the rows of a batch kept changing');
    const results = new Map((await applyEvidenceToMessages(tx, waiting)).map((result) => [result.messageSid, result]));
    for (const result of results.values()) {
      if (result.verdict === 'applied') applied.set(result.messageSid, describe('message', result, made.get(result.messageSid)));
      if (result.verdict === 'other_sid') applied.set(result.messageSid, describe('other_sid', result, undefined));
    }
    await auditRaisedAttempts(tx, [...results.values()]);
    const having = (verdict: MessageEvidenceResult['verdict']) =>
      waiting.filter((item) => results.get(item.messageSid)?.verdict === verdict);
    await applyToOlderAttempts(tx, having('older_attempt'), results, applied);
    waiting = [
      ...having('again'),
      ...(await releaseOwn(tx, having('holds_adopted'))),
      ...(await releaseHeld(tx, having('held_elsewhere'))),
      ...(await prepareMissing(tx, having('no_row'), { made, applied, makeLost })),
    ];
  }
  return applied;
}

async function releaseOwn(tx: postgres.ISql, items: Evidence[]): Promise<Evidence[]> {
  const ids = items.flatMap(({ messageId }) => messageId ?? []);
  if (ids.length > 0) await releaseAdoptions(tx, ids);
  return items;
}

async function releaseHeld(tx: postgres.ISql, items: readonly Evidence[]): Promise<Evidence[]> {
  return items.length === 0 ? [] : releaseSids(tx, items);
}

async function applyToOlderAttempts(
  tx: postgres.ISql,
  items: readonly Evidence[],
  messages: ReadonlyMap<string, MessageEvidenceResult>,
  applied: Map<string, AppliedEvidence>,
): Promise<void> {
  if (items.length === 0) return;
  const owned = await releaseSids(tx, items);
  const averting = new Map((await bindOlderAttempts(tx, owned)).map((row) => [row.messageSid, row]));
  for (const [messageSid, row] of averting) {
    const message = messages.get(messageSid);
    if (message) applied.set(messageSid, describe('message', { ...message, ...row, bound: true }, undefined));
  }
  const others = owned.filter(({ messageSid }) => !averting.has(messageSid));
  if (others.length === 0) return;
  for (const { messageSid, applied: found, from, to, contradicted } of await applyEvidenceToAttempts(tx, others)) {
    const message = messages.get(messageSid);
    if (message) applied.set(messageSid, describe(found ? 'attempt' : 'other_sid', { ...message, from, to, contradicted }, undefined));
  }
}

/** Makes the rows that are missing; what is then still to be applied comes back. */
async function prepareMissing(
  tx: postgres.ISql,
  items: readonly Evidence[],
  {
    made,
    applied,
    makeLost,
  }: { made: Map<string, 'external' | 'recovered'>; applied: Map<string, AppliedEvidence>; makeLost: MakeLostRows | undefined },
): Promise<Evidence[]> {
  if (items.length === 0) return [];
  const results = await makeMissingRows(tx, items, makeLost);
  return items.flatMap((item) => {
    const result = results.get(item.messageSid);
    // Its external row was there a moment ago; the batch comes again and makes it, or finds whose the sid is now.
    if (result === undefined) throw new LostRaceError('an external row went away');
    if (result.kind === 'attempt') return [{ ...item, messageId: result.messageId, attempt: result.attempt }];
    if (result.kind === 'deleted') applied.set(item.messageSid, DELETED);
    else if (result.made) made.set(item.messageSid, 'recovered');
    return result.kind === 'deleted' ? [] : [item];
  });
}

async function auditRaisedAttempts(tx: postgres.ISql, results: readonly MessageEvidenceResult[]): Promise<void> {
  const entries = results.flatMap(({ attemptsRaised, messageId, attempt, messageSid }) =>
    attemptsRaised && messageId !== null
      ? [{ actor: SYSTEM_ACTOR, action: 'attempts_raised', messageId, details: { attempt, messageSid } }]
      : [],
  );
  if (entries.length > 0) await writeAudit(tx, entries);
}

function describe(
  place: AppliedEvidence['place'],
  result: MessageEvidenceResult,
  made: 'external' | 'recovered' | undefined,
): AppliedEvidence {
  const { messageId, attempt, bound, to, errorCode, contradicted, sender, contentSid, campaign, startedAt } = result;
  const { sentFirst, deliveredFirst, readFirst } = result;
  const onMessage = place === 'message';
  return {
    place,
    messageId,
    attempt,
    made: made ?? null,
    bound: onMessage && bound,
    from: made ? null : result.from,
    to,
    errorCode,
    contradicted,
    sender,
    contentSid,
    campaign,
    startedAt,
    sentFirst: onMessage && sentFirst,
    deliveredFirst: onMessage && deliveredFirst,
    readFirst: onMessage && readFirst,
  };
}

const DELETED: AppliedEvidence = {
  place: 'deleted',
  messageId: null,
  attempt: null,
  made: null,
  bound: false,
  from: null,
  to: null,
  errorCode: null,
  contradicted: false,
  sender: null,
  contentSid: null,
  campaign: null,
  startedAt: null,
  sentFirst: false,
  deliveredFirst: false,
  readFirst: false,
};
