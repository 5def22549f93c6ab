import type { MessageStatus, RefusalDecision, SendOutcome } from '@tickmark/domain';
import type postgres from 'postgres';
import { sanitizeText } from './sanitize-text.ts';

export interface OutcomeRecord {
  id: string;
  attempt: number;
  token: string;
  outcome: SendOutcome;
}

/** Longest back-off after throttles in a row; the first is 0.5 to 1 s, and each next one twice as long. */
const BACKOFF_SECONDS_MAX = 30;
const RETRY_AFTER_MS_MAX = 60_000;

export interface DecidedRecord extends OutcomeRecord {
  /** What a rejection leads to; null for every other outcome. */
  refusal: RefusalDecision | null;
}

/**
 * - `record`: the row takes it. · `repeated`: it has taken it. · `fill`: the sid is there already, the rest is filled in.
 * - `archive`: noted at the older attempt. · `bind_first`: the sid has to find its place; nothing was changed yet. · `ignored`.
 */
type Verdict = 'record' | 'repeated' | 'fill' | 'archive' | 'bind_first' | 'ignored';

export interface RecordRow {
  verdict: Verdict;
  status: MessageStatus | null;
  dueAt: Date | null;
}

export function recordRows(sql: postgres.ISql, batch: readonly DecidedRecord[]) {
  const ids = batch.map((record) => record.id);
  return sql<RecordRow[]>`
    WITH records AS MATERIALIZED (${recordTable(sql, batch)}), locked AS MATERIALIZED (
      -- In key order, so that two batches with the same rows wait for each other instead of for ever.
      SELECT id, status, rank, attempts, claim_token, message_sid, sid_source, outcome, due_at, expires_at, throttles, refusals
      FROM whatsapp_messages WHERE id = ANY (${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE
    ), decided AS MATERIALIZED (
      SELECT r.*, l.status AS old_status, NULLIF(l.due_at, 'infinity') AS old_due_at, l.expires_at, l.throttles, l.refusals,
        ${judge(sql)} AS verdict
      FROM records r LEFT JOIN locked l USING (id)
    ), winners AS MATERIALIZED (
      -- Materialized for the random part of the next time: it is drawn once.
      SELECT DISTINCT ON (id) *, now() + ${nextDelay(sql)} AS next_due_at
      FROM decided WHERE verdict IN ('record', 'fill') ORDER BY id, position
    ), recorded AS (
      UPDATE whatsapp_messages m SET ${takeOutcome(sql)}
      FROM (SELECT *, ${nextStatus(sql)} AS next_status FROM winners) w
      WHERE m.id = w.id AND m.claim_token = w.token AND (m.message_sid IS NULL OR m.message_sid = w.message_sid)
      RETURNING m.id, m.status, m.due_at
    ), archived AS (
      UPDATE message_attempts a
      SET outcome = d.outcome, ended_at = now(), http_status = d.http_status, request_id = d.request_id,
        error_code = COALESCE(a.error_code, d.error_code)
      FROM decided d
      WHERE d.verdict = 'archive' AND a.message_id = d.id AND a.attempt = d.attempt AND a.claim_token = d.token AND a.outcome IS NULL
    )
    SELECT d.verdict, COALESCE(n.status, d.old_status) AS status, COALESCE(n.due_at, d.old_due_at) AS "dueAt"
    FROM decided d LEFT JOIN recorded n USING (id)
    ORDER BY d.position`;
}

function recordTable(sql: postgres.ISql, batch: readonly DecidedRecord[]) {
  const outcomes = batch.map((record) => record.outcome);
  const retries = batch.map(({ refusal }) => (refusal?.action === 'retry' ? refusal : null));
  return sql`
    SELECT * FROM unnest(
      ${batch.map((record) => record.id)}::uuid[], ${batch.map((record) => record.attempt)}::int[],
      ${batch.map((record) => record.token)}::uuid[], ${outcomes.map((outcome) => outcome.kind)}::text[],
      ${outcomes.map((outcome) => (outcome.kind === 'accepted' ? sanitizeText(outcome.messageSid) : null))}::text[],
      ${outcomes.map((outcome) => outcome.errorCode)}::int[], ${outcomes.map((outcome) => outcome.httpStatus)}::int[],
      ${outcomes.map((outcome) => (outcome.kind === 'accepted' ? null : sanitizeText(outcome.requestId)))}::text[],
      ${outcomes.map((outcome) => (outcome.kind === 'throttled' ? clampRetryAfter(outcome.retryAfterMs) : null))}::int[],
      ${batch.map((record) => record.refusal?.action ?? null)}::text[],
      ${retries.map((retry) => retry?.floorMs ?? null)}::int[], ${retries.map((retry) => retry?.baseMs ?? null)}::int[],
      ${retries.map((retry) => retry?.capMs ?? null)}::int[], ${retries.map((retry) => (retry?.countsAsRefusal ? retry.budget : null))}::int[]
    ) WITH ORDINALITY AS r (id, attempt, token, outcome, message_sid, error_code, http_status, request_id, retry_after_ms,
      refusal, floor_ms, base_ms, cap_ms, budget, position)`;
}

function clampRetryAfter(ms: number | null): number | null {
  return ms === null ? null : Math.round(Math.min(Math.max(ms, 0), RETRY_AFTER_MS_MAX));
}

function judge(sql: postgres.ISql) {
  const mine = sql`(l.claim_token = r.token AND l.attempts = r.attempt)`;
  return sql`CASE
    WHEN ${mine} AND l.outcome = r.outcome AND l.message_sid IS NOT DISTINCT FROM r.message_sid THEN 'repeated'
    WHEN r.outcome = 'accepted' THEN CASE
      WHEN NOT ${mine} OR l.id IS NULL THEN 'bind_first'
      WHEN l.message_sid = r.message_sid THEN 'fill'
      WHEN l.sid_source = 'adopted' THEN 'bind_first'
      WHEN l.message_sid IS NOT NULL THEN 'ignored'
      -- Another row has the sid, most often an external one that a callback without our id made.
      WHEN EXISTS (SELECT FROM whatsapp_messages h WHERE h.message_sid = r.message_sid) THEN 'bind_first'
      WHEN l.rank >= 20 THEN 'fill'
      ELSE 'record'
    END
    -- What the call itself says is better than a likeness in a list.
    WHEN ${mine} AND l.sid_source = 'adopted' AND r.outcome IN ('throttled', 'rejected') THEN 'bind_first'
    WHEN ${mine} AND l.status IN ('sending', 'unknown') AND l.message_sid IS NULL THEN 'record'
    WHEN r.attempt < l.attempts THEN 'archive'
    ELSE 'ignored'
  END`;
}

/** The newest attempt's columns always; the message's own only when the outcome decides them. */
function takeOutcome(sql: postgres.ISql) {
  const becomes = (status: MessageStatus) => sql`w.verdict = 'record' AND w.next_status = ${status}`;
  return sql`
    outcome = w.outcome, ended_at = now(), http_status = w.http_status, request_id = w.request_id, updated_at = now(),
    message_sid = COALESCE(m.message_sid, w.message_sid),
    sid_source = COALESCE(NULLIF(m.sid_source, 'adopted'), CASE WHEN w.message_sid IS NOT NULL THEN 'record' END, m.sid_source),
    status = CASE WHEN w.verdict = 'record' THEN w.next_status ELSE m.status END,
    rank = CASE WHEN w.verdict = 'record' THEN CASE w.next_status WHEN 'queued' THEN 20 WHEN 'failed' THEN 50 ELSE 0 END ELSE m.rank END,
    error_code = CASE WHEN w.verdict = 'record' THEN w.error_code ELSE m.error_code END,
    queued_at = CASE WHEN w.outcome = 'accepted' THEN LEAST(m.queued_at, now()) ELSE m.queued_at END,
    failed_at = CASE WHEN ${becomes('failed')} THEN now() ELSE m.failed_at END,
    throttles = CASE WHEN w.verdict = 'record' AND w.outcome = 'throttled' THEN m.throttles + 1 ELSE 0 END,
    refusals = CASE WHEN ${becomes('retrying')} AND w.budget IS NOT NULL THEN m.refusals + 1 ELSE m.refusals END,
    due_at = CASE WHEN ${becomes('retrying')} THEN w.next_due_at ELSE m.due_at END`;
}

/** A refusal that does not count has no budget (null), which no comparison ever exceeds. */
function nextStatus(sql: postgres.ISql) {
  return sql`CASE
    WHEN outcome = 'accepted' THEN 'queued'
    WHEN outcome = 'throttled' THEN 'retrying'
    WHEN outcome = 'unknown' THEN 'unknown'
    WHEN refusal = 'hold' THEN 'held'
    WHEN refusal = 'retry' AND (refusals >= budget OR next_due_at >= expires_at) IS NOT TRUE THEN 'retrying'
    ELSE 'failed'
  END`;
}

/** What Twilio asked for, else random so that rows which were turned away together do not come back together. */
function nextDelay(sql: postgres.ISql) {
  return sql`COALESCE(
    retry_after_ms * interval '1 millisecond',
    CASE refusal WHEN 'retry'
      THEN (floor_ms + random() * LEAST(cap_ms, base_ms * 2::float8 ^ LEAST(refusals, 20))) * interval '1 millisecond' END,
    LEAST(${BACKOFF_SECONDS_MAX}::float8, (0.5 + random() / 2) * 2 ^ LEAST(throttles, 10)) * interval '1 second')`;
}
