import type { ListedMessage } from '@tickmark/domain';
import type postgres from 'postgres';
import { inStatement, inTransaction, type Database } from './database.ts';
import { resendUnknownIn, type ResentMessage } from './resend-unknown.ts';
import { settleBatch } from './settle-batch.ts';

/** What one look at Twilio's list found out about one unknown attempt. */
export interface Look {
  id: string;
  attempt: number;
  /** Looks before this one, as they were when it began: a record that comes twice counts once. */
  looksBefore: number;
  /**
   * - `absent`: nothing was created, proven under positive control. · `unproven`: nothing is listed, which proves nothing.
   * - `ambiguous`: something is listed that may be its own.
   */
  kind: 'absent' | 'unproven' | 'ambiguous';
  candidates: readonly ListedMessage[];
}

/** A listed message as it is kept for a person to judge. */
export interface Candidate {
  sid: string;
  status: string;
  createdAt: string;
}

/**
 * Writes down what looks found. A row that is no longer unknown, or not with this attempt, keeps nothing of it.
 *
 * A candidate takes back the absences that were proven before: something is there. What is proven absent often enough with this look is sent once
 * more, if its policy says so: in the same transaction, so that no proof is kept whose resend was lost. Safe to repeat.
 *
 * @returns the messages that are sent once more and need a job
 */
export async function recordLooks(db: Pick<Database, 'sql'>, looks: readonly Look[]): Promise<ResentMessage[]> {
  const settled = await settleBatch(looks, (batch) => inTransaction(db.sql, (tx) => recordBatch(tx, batch)));
  return settled.flatMap((result) => {
    if (!result.ok) throw result.error;
    return result.value ?? [];
  });
}

async function recordBatch(tx: postgres.ISql, batch: readonly Look[]): Promise<(ResentMessage | null)[]> {
  await tx`
    SELECT FROM whatsapp_messages WHERE id = ANY (${batch.map(({ id }) => id)}::uuid[])
    -- In key order, so that two batches with the same rows wait for each other instead of for ever.
    ORDER BY id FOR NO KEY UPDATE`;
  await upsertLooks(tx, batch);
  const resent: (ResentMessage | null)[] = [];
  for (const { id, attempt, kind } of batch) {
    // oxlint-disable-next-line no-await-in-loop -- one connection, and most often one look
    resent.push(kind === 'absent' ? await resendUnknownIn(tx, { id, attempt, by: 'policy' }) : null);
  }
  return resent;
}

function upsertLooks(sql: postgres.ISql, looks: readonly Look[]) {
  return sql`
    INSERT INTO outcome_searches AS s (message_id, attempt, looks, absences, candidates, looked_at)
    SELECT l.id, l.attempt, l.looks_before + 1, CASE l.kind WHEN 'absent' THEN 1 ELSE 0 END, l.candidates::jsonb, now()
    FROM ${unknownLooks(sql, looks)}
    -- A search that was forgotten meanwhile (its adoption was revoked) begins anew, not where this look thinks it was.
    WHERE l.looks_before = 0 OR EXISTS (SELECT FROM outcome_searches o WHERE o.message_id = l.id AND o.attempt = l.attempt)
    ORDER BY l.id
    ON CONFLICT (message_id, attempt) DO UPDATE SET
      looks = excluded.looks,
      absences = CASE WHEN jsonb_array_length(excluded.candidates) > 0 THEN 0 ELSE s.absences + excluded.absences END,
      candidates = excluded.candidates,
      looked_at = now()
    WHERE s.looks = excluded.looks - 1`;
}

/** Notes that a look brought no list, so that it comes again after a pause. What earlier looks saw stays. */
export async function recordFailedLooks(db: Pick<Database, 'sql'>, attempts: readonly Pick<Look, 'id' | 'attempt'>[]): Promise<void> {
  const looks = attempts.map(({ id, attempt }): Look => ({ id, attempt, looksBefore: 0, kind: 'unproven', candidates: [] }));
  await inStatement(
    db.sql,
    (sql) => sql`
      INSERT INTO outcome_searches (message_id, attempt, looked_at)
      SELECT l.id, l.attempt, now() FROM ${unknownLooks(sql, looks)}
      ORDER BY l.id
      ON CONFLICT (message_id, attempt) DO UPDATE SET looked_at = now()`,
  );
}

function unknownLooks(sql: postgres.ISql, looks: readonly Look[]) {
  return sql`
    unnest(
      ${looks.map(({ id }) => id)}::uuid[], ${looks.map(({ attempt }) => attempt)}::int[], ${looks.map(({ looksBefore }) => looksBefore)}::int[],
      ${looks.map(({ kind }) => kind)}::text[], ${looks.map(({ candidates }) => JSON.stringify(candidates.map(toCandidate)))}::text[]
    ) AS l (id, attempt, looks_before, kind, candidates)
      JOIN whatsapp_messages m ON m.id = l.id AND m.status = 'unknown' AND m.attempts = l.attempt AND m.message_sid IS NULL`;
}

function toCandidate({ messageSid, rawStatus, createdAt }: ListedMessage): Candidate {
  return { sid: messageSid, status: rawStatus, createdAt: createdAt.toISOString() };
}
