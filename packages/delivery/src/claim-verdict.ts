import type postgres from 'postgres';
import { isStoppedByContent, stopCounts } from './stop-conditions.ts';

/**
 * Whether free text outside the customer-service window is refused. `auto`: once a sender has had a day of inbound messages; before that
 * nobody knows who may be written to.
 */
export type WindowGuard = 'auto' | 'enforce' | 'off';

/** Twilio's code for free text outside the window: known before the call that would have been told so. */
export const OUTSIDE_WINDOW_CODE = 63016;

/** The window is open for 24 h after the last inbound message; the rest is for a message's way to WhatsApp. */
const WINDOW_OPEN = '23 hours 45 minutes';

/**
 * What is to become of a claimed row, by itself: the first reason that holds. Its order is a promise: nothing changes a row under a stop, and
 * what has ended or was canceled is not asked anything else. The look-ups behind it run only for rows that come so far.
 *
 * Stands in a statement that has the claim as `c`, the row as `m` (with `forms`, see formsOf) and the lists of {@link contextTables}.
 */
export function verdict(sql: postgres.ISql, windowGuard: WindowGuard) {
  return sql`CASE
    WHEN m.id IS NULL THEN 'not_mine'
    WHEN m.status = 'sending' THEN 'claimed'
    WHEN m.status NOT IN ('accepted', 'scheduled', 'retrying') OR m.message_sid IS NOT NULL THEN 'ended'
    WHEN ${isCreated(sql)} THEN 'created'
    WHEN ${isCanceled(sql)} THEN 'canceled'
    WHEN m.expires_at <= now() THEN 'expired'
    -- A parked row that is asked for all the same is looked at anew.
    WHEN m.due_at > now() AND m.due_at < 'infinity' THEN 'not_due'
    WHEN ${isHalted(sql)} THEN 'stopped'
    WHEN ${isStoppedByContent(sql)} THEN 'parked'
    WHEN ${isSuppressed(sql)} THEN 'suppressed'
    ${windowGuard === 'off' ? sql`` : sql`WHEN ${isOutsideWindow(sql, windowGuard)} THEN 'failed'`}
    ELSE 'claimable'
  END`;
}

/** `halts`: the stops that concern every row of the batch or all of a sender. `watched`: senders whose windows are known (see WindowGuard). */
export function contextTables(sql: postgres.ISql, account: string) {
  return sql`halts AS MATERIALIZED (
      SELECT scope, target, source, until FROM send_stops
      WHERE ${stopCounts(sql)} AND (scope IN ('all', 'sender') OR (scope = 'account' AND target = ${account}))
    ), watched AS MATERIALIZED (
      SELECT s.sender_address FROM (SELECT DISTINCT sender_address FROM locked WHERE content_sid IS NULL) s
      WHERE (
        SELECT true FROM customer_service_windows w
        WHERE w.sender_address = s.sender_address AND w.first_inbound_at < now() - interval '24 hours' LIMIT 1)
    )`;
}

/**
 * A probe passes every breaker that waits for a repair, because two that let each other's probe not pass would never end; and nothing else: no
 * stop of an operator, and no pause that ends by its time.
 */
function isHalted(sql: postgres.ISql) {
  return sql`EXISTS (
      SELECT FROM halts h
      WHERE (h.scope <> 'sender' OR h.target = m.sender) AND NOT (c.probe AND h.scope <> 'all' AND h.source = 'breaker' AND h.until IS NULL))`;
}

// Each look-up is a sub-select with a LIMIT and not an EXISTS: of an EXISTS the planner may make a hash of the whole table.

/** An older attempt turned out to be created while the newest one was under way, which then made nothing. */
function isCreated(sql: postgres.ISql) {
  return sql`(m.attempts > 1 AND (
    SELECT true FROM message_attempts a WHERE a.message_id = m.id AND a.message_sid IS NOT NULL AND a.rank < 50 LIMIT 1))`;
}

/** A cancellation whose own update found no row yet: the request was there before the row was. That of a message holds for its retry too. */
function isCanceled(sql: postgres.ISql) {
  return sql`(SELECT true FROM cancel_requests r WHERE r.message_id IN (m.id, m.retry_of) AND r.producer = m.producer LIMIT 1)`;
}

/** A message without a category may be marketing. Stands where the row is `m`, with its `forms`. */
export function isSuppressed(sql: postgres.ISql) {
  return sql`(
    SELECT true FROM suppressions s
    WHERE s.sender_address = m.sender_address AND s.recipient = ANY (m.forms) AND s.suppressed
      AND s.category IN ('all', COALESCE(m.category, 'marketing'))
    LIMIT 1)`;
}

/** Free text, and the person has not written to this sender for a while. A template may be sent at any time. */
function isOutsideWindow(sql: postgres.ISql, windowGuard: 'auto' | 'enforce') {
  return sql`(m.content_sid IS NULL
    AND (
      SELECT true FROM customer_service_windows w
      WHERE w.sender_address = m.sender_address AND w.recipient = ANY (m.forms) AND w.last_inbound_at > now() - ${WINDOW_OPEN}::interval
      LIMIT 1) IS NULL
    ${windowGuard === 'auto' ? sql`AND m.sender_address IN (SELECT sender_address FROM watched)` : sql``})`;
}
