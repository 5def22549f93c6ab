import type { MessageStatus, Priority, SendRequest } from '@tickmark/domain';
import type { Settled } from '@tickmark/runtime';
import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';
import { settleBatch } from './settle-batch.ts';
import { isStoppedByContent, stopCounts } from './stop-conditions.ts';

export interface Claim {
  id: string;
  /** UUID made once per job run. */
  token: string;
}

/** What of this process decides about its claims. */
export interface ClaimRules {
  /** Fingerprint of the credentials that the calls will be made with: a stop of the account names one. */
  account: string;
}

/**
 * - `claimed`: the row is mine; this attempt's call may be made. `sender` is the alias.
 * - `not_due`: it may be claimed then.
 * - `stopped`: nothing may leave now (everything, the account or the sender is stopped); null = until somebody ends it. The row waits as before.
 * - `parked`: its campaign or template is stopped; the row waits without a job until the stop has ended (see unparkMessages).
 * - `ended`: there is nothing to send any more (sent, unknown, expired …).
 * - `not_mine`: another token holds it, or the row does not exist.
 */
export type ClaimAnswer =
  | { kind: 'claimed'; request: SendRequest; sender: string; campaign: string | null; claimedAt: Date }
  | { kind: 'not_due'; dueAt: Date }
  | { kind: 'stopped'; untilMs: number | null }
  | { kind: 'parked' }
  | { kind: 'ended'; status: MessageStatus }
  | { kind: 'not_mine' };

/** Twilio refuses a shorter validity; a row with less of it left is sent with this. */
const VALIDITY_SECONDS_MIN = 5;

/**
 * Takes each row for one call of Twilio's create: a row that waits, is due and has not expired gets this token and one attempt more.
 *
 * Answers are in the order of the claims, and each is decided by its **token**: of two tokens for one row, in one batch or in many at
 * once, one is told `claimed`. Safe to repeat: the same token is told `claimed` again, and the attempt is not counted again.
 */
export function claimForSending(db: Pick<Database, 'sql'>, claims: readonly Claim[], rules: ClaimRules): Promise<Settled<ClaimAnswer>[]> {
  return settleBatch(claims, async (batch) => (await inStatement(db.sql, (sql) => claimRows(sql, batch, rules))).map(toAnswer));
}

interface ClaimRow {
  verdict: 'claimed' | 'not_due' | 'stopped' | 'parked' | 'ended' | 'not_mine';
  id: string;
  /** As the statement leaves it. */
  status: MessageStatus;
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
      SELECT * FROM unnest(${ids}::uuid[], ${batch.map((claim) => claim.token)}::uuid[]) WITH ORDINALITY AS c (id, token, position)
    ), locked AS MATERIALIZED (
      -- In key order, so that two batches with the same rows wait for each other instead of for ever.
      SELECT id, status, message_sid, attempts, claim_token, claimed_at, ended_at, outcome, error_code, http_status, request_id, due_at,
        expires_at, sender, sender_address, recipient, body, content_sid, content_variables, media_url, priority, campaign
      FROM whatsapp_messages WHERE id = ANY (${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE
    ), halts AS MATERIALIZED (
      SELECT scope, target, until FROM send_stops
      WHERE ${stopCounts(sql)} AND (scope IN ('all', 'sender') OR (scope = 'account' AND target = ${rules.account}))
    ), decided AS MATERIALIZED (
      -- With all that later parts need of the row: joining two such lists is slow when the planner thinks that they are short.
      SELECT m.*, c.position, c.token,
        CASE
          WHEN m.id IS NULL THEN 'not_mine'
          WHEN m.status = 'sending' THEN 'claimed'
          WHEN m.status NOT IN ('accepted', 'scheduled', 'retrying') OR m.message_sid IS NOT NULL THEN 'ended'
          WHEN m.expires_at <= now() THEN 'expired'
          -- A parked row that is asked for all the same is looked at anew.
          WHEN m.due_at > now() AND m.due_at < 'infinity' THEN 'not_due'
          WHEN EXISTS (SELECT FROM halts WHERE scope <> 'sender') OR m.sender IN (SELECT target FROM halts WHERE scope = 'sender')
            THEN 'stopped'
          WHEN ${isStoppedByContent(sql)} THEN 'parked'
          ELSE 'claimable'
        END AS verdict
      FROM claims c LEFT JOIN locked m USING (id)
    ), winners AS MATERIALIZED (
      SELECT DISTINCT ON (id) * FROM decided WHERE verdict = 'claimable' ORDER BY id, position
    ), claimed AS (
      UPDATE whatsapp_messages m
      SET status = 'sending', claim_token = w.token, claimed_at = now(), attempts = m.attempts + 1, error_code = NULL,
        outcome = NULL, ended_at = NULL, http_status = NULL, request_id = NULL, updated_at = now()
      FROM winners w
      WHERE m.id = w.id AND m.status IN ('accepted', 'scheduled', 'retrying') AND m.message_sid IS NULL
      RETURNING m.id, m.claim_token, m.claimed_at, m.attempts
    ), expired AS (
      UPDATE whatsapp_messages m
      SET status = 'expired', rank = 50, updated_at = now()
      WHERE m.id IN (SELECT id FROM decided WHERE verdict = 'expired')
        AND m.status IN ('accepted', 'scheduled', 'retrying') AND m.message_sid IS NULL
    ), parked AS (
      UPDATE whatsapp_messages m
      SET due_at = 'infinity', updated_at = now()
      WHERE m.id IN (SELECT id FROM decided WHERE verdict = 'parked')
        AND m.status IN ('accepted', 'scheduled', 'retrying') AND m.message_sid IS NULL AND m.due_at < 'infinity'
    ), archived AS (
      -- The row keeps its newest attempt only. What a late record or callback noted about the older one meanwhile stays.
      INSERT INTO message_attempts AS a
        (message_id, attempt, claim_token, claimed_at, ended_at, outcome, error_code, http_status, request_id)
      SELECT id, attempts, claim_token, claimed_at, ended_at, outcome, error_code, http_status, request_id
      FROM winners
      WHERE attempts > 0
      ORDER BY id
      ON CONFLICT (message_id, attempt) DO UPDATE SET
        claim_token = COALESCE(a.claim_token, excluded.claim_token), claimed_at = COALESCE(a.claimed_at, excluded.claimed_at),
        ended_at = COALESCE(a.ended_at, excluded.ended_at), outcome = COALESCE(a.outcome, excluded.outcome)
    )
    SELECT
      -- The token decides, never the id: the caller whose token is not on the row has not claimed it, whoever else has.
      CASE d.verdict
        WHEN 'claimable' THEN CASE WHEN n.claim_token = d.token THEN 'claimed' ELSE 'not_mine' END
        WHEN 'claimed' THEN CASE WHEN d.claim_token = d.token THEN 'claimed' ELSE 'not_mine' END
        WHEN 'expired' THEN 'ended'
        ELSE d.verdict
      END AS verdict,
      d.id, CASE d.verdict WHEN 'expired' THEN 'expired' ELSE d.status END AS status,
      CASE d.verdict WHEN 'not_due' THEN d.due_at END AS "dueAt",
      -- The last one to end; null when one of them has no end.
      CASE d.verdict WHEN 'stopped' THEN (
        SELECT NULLIF(max(COALESCE(until, 'infinity')), 'infinity') FROM halts WHERE scope <> 'sender' OR target = d.sender
      ) END AS "stoppedUntil",
      COALESCE(n.attempts, d.attempts) AS attempt, COALESCE(n.claimed_at, d.claimed_at) AS "claimedAt",
      d.sender, d.sender_address AS "senderAddress", d.recipient, d.body, d.content_sid AS "contentSid",
      d.content_variables AS "contentVariables", d.media_url AS "mediaUrl", d.priority, d.campaign,
      CASE WHEN d.expires_at IS NOT NULL
        THEN GREATEST(${VALIDITY_SECONDS_MIN}, floor(extract(epoch FROM d.expires_at - now())))::int END AS "validitySeconds"
    FROM decided d LEFT JOIN claimed n ON n.id = d.id
    ORDER BY d.position`;
}

function toAnswer(row: ClaimRow): ClaimAnswer {
  const { verdict, status, sender, campaign, claimedAt, dueAt, stoppedUntil } = row;
  if (verdict === 'claimed') return { kind: verdict, request: toRequest(row), sender, campaign, claimedAt };
  // A waiting row always has a due time (a CHECK): the second condition is for the compiler alone.
  if (verdict === 'not_due' && dueAt !== null) return { kind: verdict, dueAt };
  if (verdict === 'stopped') return { kind: verdict, untilMs: stoppedUntil?.getTime() ?? null };
  if (verdict === 'parked') return { kind: verdict };
  return verdict === 'ended' ? { kind: verdict, status } : { kind: 'not_mine' };
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
