import { decideOnRefusal, type MessageStatus, type RefusalDecision } from '@tickmark/domain';
import type { Settled } from '@tickmark/runtime';
import type postgres from 'postgres';
import { applyEvidence } from './apply-evidence.ts';
import { inStatement, inTransaction, type Database } from './database.ts';
import { evidenceOfCreate, type Evidence } from './evidence.ts';
import { recordRows, type DecidedRecord, type OutcomeRecord, type RecordRow } from './record-rows.ts';
import { releaseAdoptions } from './release-adoptions.ts';
import { sanitizeText } from './sanitize-text.ts';
import { settleBatch } from './settle-batch.ts';
import { isOptedOut, suppressRefused } from './suppress-opted-out.ts';

/**
 * - `recorded`: the row took the outcome, now or when the same record came before; `dueAt` says when it may be claimed again.
 * - `merged`: the message was known further already (a callback came first) or has a newer attempt; what was missing is filled in.
 * - `ignored`: no row expects this outcome (another claim holds it, or its attempt has another sid).
 */
export type RecordAnswer = { kind: 'recorded'; status: MessageStatus; dueAt: Date | null } | { kind: 'merged' } | { kind: 'ignored' };

/**
 * Writes down what became of calls whose claims were granted. Answers are in the order of the records.
 *
 * A sid is never lost: with another token, or with rows that have the sid already, it is bound the way a callback's sid is. A refused row
 * never has one, and what it becomes is `decide`'s word on the code together with what the row has used up: its budget, its validity.
 * Safe to repeat: the same record is answered the same and changes nothing more.
 */
export function recordOutcome(
  db: Pick<Database, 'sql'>,
  records: readonly OutcomeRecord[],
  decide: (errorCode: number) => RefusalDecision = decideOnRefusal,
): Promise<Settled<RecordAnswer>[]> {
  return settleBatch(records, async (batch) => {
    const decided = batch.map((record) => ({
      ...record,
      refusal: record.outcome.kind === 'rejected' ? decide(record.outcome.errorCode) : null,
    }));
    // First, and by itself: whoever dies in between records a refusal later whose recipient is suppressed already.
    if (batch.some(isOptedOut)) await inTransaction(db.sql, (tx) => suppressRefused(tx, batch));
    const rows = await inStatement(db.sql, (sql) => recordRows(sql, decided));
    const unbound = decided.filter((_record, index) => rows[index]?.verdict === 'bind_first');
    if (unbound.length === 0) return rows.map(toAnswer);
    const bound = await inTransaction(db.sql, (tx) => bindSids(tx, unbound));
    return decided.map((record, index) => bound.get(record) ?? toAnswer(rows[index]));
  });
}

/**
 * Lets records that the plain statement cannot place find their row or attempt: the token is another one's, the row is gone (a restored
 * backup), another row has the sid, or the row adopted one. What the call cannot have caused (a lower status) stays.
 */
async function bindSids(tx: postgres.ISql, records: readonly DecidedRecord[]): Promise<Map<DecidedRecord, RecordAnswer>> {
  const sidOf = ({ outcome }: OutcomeRecord) => (outcome.kind === 'accepted' ? sanitizeText(outcome.messageSid) : null);
  const refused = records.filter((record) => sidOf(record) === null);
  if (refused.length > 0)
    await releaseAdoptions(
      tx,
      refused.map(({ id }) => id),
    );
  const evidence = new Map(records.flatMap((record) => evidenceIn(record, sidOf(record))));
  const applied = await applyEvidence(tx, [...evidence.values()]);
  const rows = await recordRows(tx, records);
  const taken = records.filter((record) => applied.get(sidOf(record) ?? '')?.place === 'message');
  await tx`
    UPDATE message_attempts SET outcome = 'accepted', ended_at = COALESCE(ended_at, now())
    WHERE outcome IS DISTINCT FROM 'accepted' AND (message_sid = ANY (${[...evidence.keys()]}::text[])
      -- An older attempt whose sid is the row's now.
      OR (message_id, claim_token) IN (SELECT * FROM unnest(
        ${taken.map(({ id }) => id)}::uuid[], ${taken.map(({ token }) => token)}::uuid[])))`;
  return new Map(
    records.map((record, index) => {
      const place = applied.get(sidOf(record) ?? '')?.place;
      if (place === undefined) return [record, toAnswer(rows[index])];
      return [record, { kind: place === 'message' || place === 'attempt' ? 'merged' : 'ignored' }];
    }),
  );
}

function evidenceIn({ id, attempt }: OutcomeRecord, sid: string | null): [string, Evidence][] {
  return sid === null ? [] : [[sid, evidenceOfCreate(sid, id, attempt)]];
}

function toAnswer(row: RecordRow | undefined): RecordAnswer {
  if (row?.verdict === 'fill' || row?.verdict === 'archive') return { kind: 'merged' };
  if (row === undefined || row.status === null || row.verdict === 'ignored' || row.verdict === 'bind_first') return { kind: 'ignored' };
  return { kind: 'recorded', status: row.status, dueAt: row.status === 'retrying' ? row.dueAt : null };
}
