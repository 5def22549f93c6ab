import type { MessageStatus, Priority, SendRequest } from '@tickmark/domain';
import type { Settled } from '@tickmark/runtime';
import type postgres from 'postgres';
import { recallOlderAttempts, type OlderAttemptBound } from './bind-older-attempts.ts';
import { contextTables, OUTSIDE_WINDOW_CODE, verdict, type WindowGuard } from './claim-verdict.ts';
import { inStatement, type Database } from './database.ts';
import { pacedTable } from './paced-claims.ts';
import { formsOf } from './recipient-forms.ts';
import { settleBatch } from './settle-batch.ts';

export interface Claim {
  id: string;
  /** UUID made once per job run. */
  token: string;
  /** The call is to try out account and sender: their breakers that wait for a repair do not stop it. */
  probe?: boolean;
}

/** What of this process decides about its claims. */
export interface ClaimRules {
  /** Fingerprint of the credentials that the calls will be made with: a stop of the account names one. */
  account: string;
  windowGuard: WindowGuard;
}

/**
 * - `claimed`: the row is mine; this attempt's call may be made. `sender` is the alias.
 * - `not_due`: it may be claimed then. The row's time, or when the pair of sender and recipient has a place again.
 * - `stopped`: nothing may leave now (everything, the account or the sender is stopped); null = until somebody ends it. The row waits as before.
 * - `parked`: its campaign or template is stopped; the row waits without a job until the stop has ended (see unparkMessages).
 * - `ended`: there is nothing to send any more (sent, unknown, expired …). `byClaim`: it was this claim that ended it.
 * - `not_mine`: another token holds it, or the row does not exist.
 */
export type ClaimAnswer =
  | { kind: 'claimed'; request: SendRequest; sender: string; campaign: string | null; claimedAt: Date }
  | { kind: 'not_due'; dueAt: Date }
  | { kind: 'stopped'; untilMs: number | null }
  | { kind: 'parked' }
  | { kind: 'ended'; status: MessageStatus; byClaim: boolean; errorCode: number | null }
  | { kind: 'not_mine' };

/** What the claim itself makes of rows that must never be sent; the words of the verdict and of the row. */
const ENDINGS = ['canceled', 'expired', 'suppressed', 'failed'];

/** Twilio refuses a shorter validity; a row with less of it left is sent with this. */
const VALIDITY_SECONDS_MIN = 5;

/**
 * Takes each row for one call of Twilio's create: a row that waits, is due and has not expired gets this token and one attempt more.
 *
 * Answers are in the order of the claims, and each is decided by its **token**: of two tokens for one row, in one batch or in many at
 * once, one is told `claimed`. Safe to repeat: the same token is told `claimed` again, and the attempt is not counted again.
 */
export function claimForSending(db: Pick<Database, 'sql'>, claims: readonly Claim[], rules: ClaimRules): Promise<Settled<ClaimAnswer>[]> {
  return settleBatch(claims, async (batch) => {
    const rows = await inStatement(db.sql, (sql) => claimRows(sql, batch, rules));
    const created = rows.flatMap(({ id, verdict: kind }) => (kind === 'created' ? [id] : []));
    const bound = created.length === 0 ? null : await recallOlderAttempts(db, created);
    return rows.map((row) => (row.verdict === 'created' ? toEnded(bound?.get(row.id)) : toAnswer(row)));
  });
}

interface ClaimRow {
  /** `created`: an older attempt was; nothing was changed yet. */
  verdict: 'claimed' | 'not_due' | 'stopped' | 'parked' | 'ended' | 'not_mine' | 'created';
  byClaim: boolean;
  id: string;
  /** As the statement leaves it. */
  status: MessageStatus;
  errorCode: number | null;
  dueAt: Date | null;
  stoppedUntil: Date | null;
  attempt: number;
  claimedAt: Date;
  sender: string;
  senderAddress: string;
  recipient: string;
  body: string | null;
  contentSid: string | null;
  contentVariables: string | null;
  mediaUrl: string | null;
  priority: Priority;
  campaign: string | null;
  validitySeconds: number | null;
}

function claimRows(sql: postgres.ISql, batch: readonly Claim[], rules: ClaimRules) {
  const ids = batch.map((claim) => claim.id);
  return sql<ClaimRow[]>`
    WITH claims AS MATERIALIZED (
      SELECT * FROM unnest(${ids}::uuid[], ${batch.map((claim) => claim.token)}::uuid[], ${batch.map((claim) => String(claim.probe === true))}::text[]::boolean[])
        WITH ORDINALITY AS c (id, token, probe, position)
    ), locked AS MATERIALIZED (
      -- In key order, so that two batches with the same rows wait for each other instead of for ever.
      SELECT id, producer, retry_of, status, message_sid, attempts, claim_token, claimed_at, ended_at, outcome, error_code, http_status,
        request_id, due_at, expires_at, sender, sender_address, recipient, ${formsOf(sql, 'recipient')} AS forms, body, content_sid, content_variables,
        media_url, priority, category, campaign
      FROM whatsapp_messages WHERE id = ANY (${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE
    ), ${contextTables(sql, rules.account)}, decided AS MATERIALIZED (
      -- With all that later parts need of the row: joining two such lists is slow when the planner thinks that they are short.
      SELECT m.*, c.position, c.token, ${verdict(sql, rules.windowGuard)} AS verdict
      FROM claims c LEFT JOIN locked m USING (id)
    ), ${pacedTable(sql)}, claimed AS (
      UPDATE whatsapp_messages m
      SET status = 'sending', claim_token = p.token, claimed_at = now(), attempts = m.attempts + 1, error_code = NULL,
        outcome = NULL, ended_at = NULL, http_status = NULL, request_id = NULL, updated_at = now()
      FROM paced p
      WHERE p.free_at IS NULL AND m.id = p.id AND ${mayStillBeClaimed(sql)}
      RETURNING m.id, m.claim_token, m.claimed_at, m.attempts
    ), ended AS (
      UPDATE whatsapp_messages m
      SET status = d.verdict, rank = 50, updated_at = now(),
        error_code = CASE d.verdict WHEN 'failed' THEN ${OUTSIDE_WINDOW_CODE} ELSE m.error_code END,
        failed_at = CASE d.verdict WHEN 'failed' THEN now() ELSE m.failed_at END
      FROM decided d
      WHERE d.verdict = ANY (${ENDINGS}::text[]) AND m.id = d.id AND ${mayStillBeClaimed(sql)}
    ), parked AS (
      UPDATE whatsapp_messages m
      SET due_at = 'infinity', updated_at = now()
      FROM decided d
      WHERE d.verdict = 'parked' AND m.id = d.id AND m.due_at < 'infinity' AND ${mayStillBeClaimed(sql)}
    ), archived AS (
      -- The row keeps its newest attempt only. What a late record or callback noted about the older one meanwhile stays.
      INSERT INTO message_attempts AS a
        (message_id, attempt, claim_token, claimed_at, ended_at, outcome, error_code, http_status, request_id)
      SELECT id, attempts, claim_token, claimed_at, ended_at, outcome, error_code, http_status, request_id
      FROM paced
      WHERE free_at IS NULL AND attempts > 0
      ORDER BY id
      ON CONFLICT (message_id, attempt) DO UPDATE SET
        claim_token = COALESCE(a.claim_token, excluded.claim_token), claimed_at = COALESCE(a.claimed_at, excluded.claimed_at),
        ended_at = COALESCE(a.ended_at, excluded.ended_at), outcome = COALESCE(a.outcome, excluded.outcome)
    )
    SELECT ${answerColumns(sql)}
    FROM decided d LEFT JOIN claimed n ON n.id = d.id LEFT JOIN paced p ON p.id = d.id
    ORDER BY d.position`;
}

/** The guard of every write, besides the id: locked or not, no statement changes a row of another state. */
function mayStillBeClaimed(sql: postgres.ISql) {
  return sql`m.status IN ('accepted', 'scheduled', 'retrying') AND m.message_sid IS NULL`;
}

function answerColumns(sql: postgres.ISql) {
  return sql`
      -- The token decides, never the id: the caller whose token is not on the row has not claimed it, whoever else has.
      CASE
        WHEN d.verdict = 'claimable' AND p.free_at IS NOT NULL THEN 'not_due'
        WHEN d.verdict = 'claimable' THEN CASE WHEN n.claim_token = d.token THEN 'claimed' ELSE 'not_mine' END
        WHEN d.verdict = 'claimed' THEN CASE WHEN d.claim_token = d.token THEN 'claimed' ELSE 'not_mine' END
        WHEN d.verdict = ANY (${ENDINGS}::text[]) THEN 'ended'
        ELSE d.verdict
      END AS verdict,
      d.verdict = ANY (${ENDINGS}::text[]) AS "byClaim", d.id,
      CASE WHEN d.verdict = ANY (${ENDINGS}::text[]) THEN d.verdict ELSE d.status END AS status,
      CASE d.verdict WHEN 'failed' THEN ${OUTSIDE_WINDOW_CODE}::int ELSE d.error_code END AS "errorCode",
      CASE d.verdict WHEN 'not_due' THEN d.due_at ELSE p.free_at END AS "dueAt",
      -- The last one to end; null when one of them has no end.
      CASE d.verdict WHEN 'stopped' THEN (
        SELECT NULLIF(max(COALESCE(until, 'infinity')), 'infinity') FROM halts WHERE scope <> 'sender' OR target = d.sender
      ) END AS "stoppedUntil",
      COALESCE(n.attempts, d.attempts) AS attempt, COALESCE(n.claimed_at, d.claimed_at) AS "claimedAt",
      d.sender, d.sender_address AS "senderAddress", d.recipient, d.body, d.content_sid AS "contentSid",
      d.content_variables AS "contentVariables", d.media_url AS "mediaUrl", d.priority, d.campaign,
      CASE WHEN d.expires_at IS NOT NULL
        THEN GREATEST(${VALIDITY_SECONDS_MIN}, floor(extract(epoch FROM d.expires_at - now())))::int END AS "validitySeconds"`;
}

function toAnswer(row: ClaimRow): ClaimAnswer {
  const { verdict: kind, status, sender, campaign, claimedAt, dueAt, stoppedUntil, byClaim, errorCode } = row;
  if (kind === 'claimed') return { kind, request: toRequest(row), sender, campaign, claimedAt };
  // A waiting row always has a due time (a CHECK): the second condition is for the compiler alone.
  if (kind === 'not_due' && dueAt !== null) return { kind, dueAt };
  if (kind === 'stopped') return { kind, untilMs: stoppedUntil?.getTime() ?? null };
  if (kind === 'parked') return { kind };
  return kind === 'ended' ? { kind, status, byClaim, errorCode } : { kind: 'not_mine' };
}

/** Without a row something else became of it meanwhile, which the next claim sees. */
function toEnded(bound: OlderAttemptBound | undefined): ClaimAnswer {
  if (!bound) return { kind: 'not_due', dueAt: new Date() };
  return { kind: 'ended', status: bound.to, byClaim: false, errorCode: bound.errorCode };
}

function toRequest(row: ClaimRow): SendRequest {
  return {
    messageId: row.id,
    attempt: row.attempt,
    senderAddress: row.senderAddress,
    recipient: row.recipient,
    body: row.body,
    contentSid: row.contentSid,
    contentVariables: row.contentVariables === null ? null : (JSON.parse(row.contentVariables) as Record<string, string>),
    mediaUrl: row.mediaUrl,
    priority: row.priority,
    validityPeriodSeconds: row.validitySeconds,
  };
}
