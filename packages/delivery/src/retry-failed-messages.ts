import { retryMessageId, type Priority } from '@tickmark/domain';
import type postgres from 'postgres';
import { inStatement, inTransaction, type Database } from './database.ts';
import { judgeRetries, type JudgedRetry, type RetrySkip } from './judge-retries.ts';
import { repeatedColumns } from './retry-columns.ts';
import { settleBatch } from './settle-batch.ts';
import { writeAudit } from './write-audit.ts';

/** Messages per transaction: few enough that nobody waits long for one of their rows. */
const PAGE_ROWS = 500;

/** A validity that was worked out as less than this would end before the first try. */
const VALIDITY_SECONDS_MIN = 5;

/** A new row that waits, due now, for its send job. */
export interface RetriedMessage {
  id: string;
  /** Alias. */
  sender: string;
  priority: Priority;
  dueAt: Date;
}

export interface RetryFailedDeps {
  db: Pick<Database, 'sql'>;
  /** Gives new rows their send jobs, once they are stored. What it rejects with ends the call; rows without a job get one from the sweeper. */
  enqueue: (rows: readonly RetriedMessage[]) => Promise<void>;
}

export interface RetryFailedInput {
  /** In their lower-case form; one that is named twice counts once. */
  ids: readonly string[];
  /** Also what most likely fails again, and what the recipient could get twice (`permanent`, `may_have_arrived`). */
  force: boolean;
  /** True = only say what would be done. */
  dryRun: boolean;
  /** Who asks and why, for the audit log. */
  actor: string;
  reason: string;
  /** Names the request, so that its repetition counts what it made before as its own. */
  requestId?: string;
  /** Told after each 500 messages. */
  onProgress?: (progress: { done: number; of: number; made: number }) => Promise<void>;
  signal?: AbortSignal;
}

export interface RetryFailedResult {
  /** Messages that were asked for. */
  matched: number;
  /** Of these, those that may be sent again. */
  toSend: number;
  /** New rows of this request; 0 for a dry run. */
  made: number;
  /** In the order of the ids. */
  skipped: { id: string; why: RetrySkip }[];
}

/**
 * Sends failed messages again: of each that failed, was not delivered or expired unsent, and may be sent, a new row with its content, due now,
 * whose `retry_of` is the old one. The old row does not change. Also of a message that is a retry itself. A new row has its whole validity
 * again. Each is audited.
 *
 * Never of a message that arrived, that may be under way (`unknown`, waiting, sent), or whose recipient is suppressed, whatever `force` says; see
 * {@link RetrySkip}. Each is judged under its lock at the moment of its retry, so that a list which was made before may be given as it is.
 *
 * Safe to repeat, also at the same time: the new row's id follows from the old one's, so there is never a second one.
 *
 * @throws the error of a store that goes away in between, or the signal's reason; what was made by then stays
 */
export async function retryFailedMessages(deps: RetryFailedDeps, input: RetryFailedInput): Promise<RetryFailedResult> {
  const ids = [...new Set(input.ids)];
  const result: RetryFailedResult = { matched: ids.length, toSend: 0, made: 0, skipped: [] };
  for (let from = 0; from < ids.length; from += PAGE_ROWS) {
    input.signal?.throwIfAborted();
    const { judged, rows } = await retryPage(deps.db, ids.slice(from, from + PAGE_ROWS), input);
    if (rows.length > 0) await deps.enqueue(rows);
    result.made += rows.length;
    for (const { id, why, madeBefore } of judged) {
      if (madeBefore) result.made += 1;
      if (why === null || madeBefore) result.toSend += 1;
      else result.skipped.push({ id, why });
    }
    await input.onProgress?.({ done: Math.min(from + PAGE_ROWS, ids.length), of: ids.length, made: result.made });
  }
  return result;
}

interface RetriedPage {
  judged: JudgedRetry[];
  rows: RetriedMessage[];
}

async function retryPage(db: Pick<Database, 'sql'>, ids: readonly string[], input: RetryFailedInput): Promise<RetriedPage> {
  const rules = { force: input.force, requestId: input.requestId ?? null };
  if (input.dryRun) return { judged: await inStatement(db.sql, (sql) => judgeRetries(sql, ids, { ...rules, lock: false })), rows: [] };
  // One item: it is the whole page or nothing of it, again after a lost race.
  const [settled] = await settleBatch([ids], async () => [
    await inTransaction(db.sql, async (tx) => {
      const judged = await judgeRetries(tx, ids, { ...rules, lock: true });
      const chosen = judged.flatMap(({ id, why }) => (why === null ? [id] : []));
      const rows = chosen.length > 0 ? await insertRows(tx, chosen) : [];
      await auditRows(tx, rows, input);
      const made = new Set(rows.map(({ retryOf }) => retryOf));
      // An automatic retry that was stored while this one waited for the row.
      return {
        judged: judged.map((one) => (one.why === null && !made.has(one.id) ? { ...one, why: 'already_retried' as const } : one)),
        rows,
      };
    }),
  ]);
  if (settled?.ok !== true) throw settled?.error;
  return settled.value;
}

function insertRows(tx: postgres.ISql, ids: readonly string[]) {
  return tx<(RetriedMessage & { retryOf: string })[]>`
    INSERT INTO whatsapp_messages (id, origin, retry_of, status, rank, due_at, expires_at, ${repeatedColumns(tx)})
    SELECT r.retry_id, 'retry', m.id, 'accepted', 0, now(),
      CASE WHEN m.expires_at IS NOT NULL THEN now() + GREATEST(
        m.expires_at - GREATEST(COALESCE(m.accepted_at, m.created_at), m.send_at), ${VALIDITY_SECONDS_MIN} * interval '1 second') END,
      ${repeatedColumns(tx)}
    FROM unnest(${[...ids]}::uuid[], ${ids.map(retryMessageId)}::uuid[]) AS r (original_id, retry_id)
    JOIN whatsapp_messages m ON m.id = r.original_id
    ORDER BY r.retry_id
    ON CONFLICT DO NOTHING
    RETURNING id, retry_of AS "retryOf", sender, priority, due_at AS "dueAt"`;
}

async function auditRows(
  tx: postgres.ISql,
  rows: readonly { id: string; retryOf: string }[],
  { actor, reason, force, requestId }: RetryFailedInput,
): Promise<void> {
  if (rows.length === 0) return;
  const entry = { actor, action: 'message_retried', reason };
  await writeAudit(
    tx,
    rows.map(({ id, retryOf }) => ({
      ...entry,
      messageId: retryOf,
      details: { retry: id, request: requestId ?? null, force: String(force) },
    })),
  );
}
