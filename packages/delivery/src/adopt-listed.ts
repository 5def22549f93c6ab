import { matchListed, type ListedMessage, type ListMatch, type UnknownAttempt } from '@tickmark/domain';
import type postgres from 'postgres';
import { bindAdopted } from './bind-adopted.ts';
import { inTransaction, type Database } from './database.ts';
import { findBoundSids } from './find-bound-sids.ts';
import { hasSending } from './has-sending.ts';
import { lockPair, type Pair } from './lock-pair.ts';
import { settleBatch } from './settle-batch.ts';
import { SYSTEM_ACTOR, writeAudit } from './write-audit.ts';

export interface ListedPair extends Pair {
  /** What Twilio's list shows of this sender to this person, newest first. */
  messages: readonly ListedMessage[];
}

/**
 * - `adopted`: the row has the sid now. · `ambiguous`: some of these may be its own.
 * - `waiting`: they may be, but a call of the same pair is under way and may be theirs. · `absent`: none may be its own.
 */
export type ListVerdict = { id: string; attempt: number } & (
  { kind: 'adopted'; message: ListedMessage } | { kind: 'ambiguous' | 'waiting'; candidates: readonly ListedMessage[] } | { kind: 'absent' }
);

export interface PairSearched {
  /** One for each unknown attempt of the pair. */
  verdicts: ListVerdict[];
  /** Of what is listed, the messages that we know by their own call or callback. */
  known: ListedMessage[];
}

/** Twilio's word for what an API call made. Answers of a TwiML document and inbound messages are not ours. */
const DIRECTION = 'outbound-api';

/**
 * Compares the unknown attempts of one sender to one person with what Twilio's list shows, and gives each the sid that is its own as far
 * as the list can tell. The rows are as they are now, whenever the list was read: what a call or a callback bound meanwhile is bound.
 *
 * An adopted sid is the weakest claim there is: the row that a callback or a record names takes it away again. Safe to repeat.
 */
export async function adoptListed(db: Pick<Database, 'sql'>, pair: ListedPair): Promise<PairSearched> {
  const [settled] = await settleBatch([pair], async () => [await inTransaction(db.sql, (tx) => adoptUnderLock(tx, pair))]);
  if (settled?.ok !== true) throw settled?.error;
  return settled.value;
}

async function adoptUnderLock(tx: postgres.ISql, pair: ListedPair): Promise<PairSearched> {
  await lockPair(tx, pair);
  const isSending = await hasSending(tx, pair);
  const attempts = await readUnknown(tx, pair);
  const outbound = pair.messages.filter(({ direction }) => direction === DIRECTION);
  const bound = await findBoundSids(
    tx,
    outbound.map(({ messageSid }) => messageSid),
  );
  const free = outbound.filter(({ messageSid }) => !bound.has(messageSid));
  const matches = matchListed(attempts, free);
  const verdicts = attempts.map(({ id, attempt }) => ({ id, attempt, ...toVerdict(matches.get(id) ?? { kind: 'absent' }, isSending) }));
  await adopt(tx, verdicts);
  return { verdicts, known: outbound.filter(({ messageSid }) => bound.get(messageSid) === true) };
}

type Verdict = ListVerdict extends infer V ? (V extends unknown ? Omit<V, 'id' | 'attempt'> : never) : never;

function toVerdict(match: ListMatch, isSending: boolean): Verdict {
  if (match.kind !== 'adopt') return match.kind === 'ambiguous' && isSending ? { ...match, kind: 'waiting' } : match;
  return isSending ? { kind: 'waiting', candidates: [match.message] } : { kind: 'adopted', message: match.message };
}

function readUnknown(tx: postgres.ISql, { senderAddress, recipient }: Pair) {
  return tx<(UnknownAttempt & { attempt: number })[]>`
    SELECT id, attempts AS attempt, claimed_at AS "claimedAt", encode(content_sha256, 'hex') AS "contentSha256",
      -- Without any content left (redacted) a row is like no other.
      encode(sha256(convert_to(COALESCE(
        NULLIF(concat_ws(chr(31), encode(content_sha256, 'hex'), content_sid, content_variables, media_url), ''), id::text), 'UTF8')), 'hex')
        AS "contentKey"
    FROM whatsapp_messages
    WHERE recipient = ${recipient} AND sender_address = ${senderAddress} AND open_status IN ('unknown')
      AND message_sid IS NULL AND claimed_at IS NOT NULL
    ORDER BY id FOR NO KEY UPDATE`;
}

async function adopt(tx: postgres.ISql, verdicts: readonly ListVerdict[]): Promise<void> {
  const adopted = verdicts.flatMap((verdict) => (verdict.kind === 'adopted' ? [{ ...verdict, sid: verdict.message.messageSid }] : []));
  if (adopted.length === 0) return;
  await bindAdopted(
    tx,
    adopted.map(({ id, attempt, sid, message }) => ({ id, attempt, sid, queuedAt: message.createdAt })),
  );
  await writeAudit(
    tx,
    adopted.map(({ id, attempt, sid }) => ({
      actor: SYSTEM_ACTOR,
      action: 'sid_adopted',
      messageId: id,
      details: { messageSid: sid, attempt },
    })),
  );
}
