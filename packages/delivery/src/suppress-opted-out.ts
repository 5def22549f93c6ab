import { OPT_OUT_CODES, projectTwilioStatus, type StatusEvent } from '@tickmark/domain';
import type postgres from 'postgres';
import type { OutcomeRecord } from './record-rows.ts';
import { upsertSuppressions, type SuppressionEvent } from './record-suppressions.ts';

/**
 * What Twilio's word on opted-out recipients suppresses: 21610 every message, 63033 marketing. It was true when the attempt was claimed at
 * the earliest, and that is its time: a START that came between the call and the late failure stays.
 */

interface OptedOut {
  senderAddress: string;
  recipient: string;
  claimedAt: Date;
  errorCode: number;
}

/** Whether a call was refused because its recipient has opted out. */
export function isOptedOut({ outcome }: OutcomeRecord): boolean {
  return outcome.kind === 'rejected' && OPT_OUT_CODES.has(outcome.errorCode);
}

/**
 * Suppresses the recipients of calls that were refused as opted out. To be done before the refusal is recorded, so that a crash in between
 * loses none; safe to repeat.
 */
export async function suppressRefused(sql: postgres.ISql, records: readonly OutcomeRecord[]): Promise<void> {
  const refused = records.filter(isOptedOut).map(({ id, attempt, outcome }) => ({ id, attempt, errorCode: outcome.errorCode }));
  const rows = await sql<OptedOut[]>`
    SELECT m.sender_address AS "senderAddress", m.recipient, COALESCE(a.claimed_at, m.claimed_at) AS "claimedAt", r.code AS "errorCode"
    FROM unnest(
      ${refused.map(({ id }) => id)}::uuid[], ${refused.map(({ attempt }) => attempt)}::int[], ${refused.map((one) => one.errorCode)}::int[]
    ) AS r (id, attempt, code)
    JOIN whatsapp_messages m ON m.id = r.id
    LEFT JOIN message_attempts a ON a.message_id = r.id AND a.attempt = r.attempt
    WHERE m.claimed_at IS NOT NULL`;
  await suppress(sql, rows);
}

/** The same of messages that failed later, once their sids are bound to rows; also of messages that others sent. Safe to repeat. */
export async function suppressFailed(sql: postgres.ISql, events: readonly StatusEvent[]): Promise<void> {
  const failed = events.flatMap(({ messageSid, rawStatus, errorCode }) =>
    errorCode !== null && OPT_OUT_CODES.has(errorCode) && isFailure(rawStatus) ? [{ messageSid, errorCode }] : [],
  );
  if (failed.length === 0) return;
  const rows = await sql<OptedOut[]>`
    SELECT m.sender_address AS "senderAddress", m.recipient, f.code AS "errorCode",
      -- A message that others sent was never claimed; it existed at the latest when its row was made.
      COALESCE(a.claimed_at, m.claimed_at, m.created_at) AS "claimedAt"
    FROM unnest(${failed.map(({ messageSid }) => messageSid)}::text[], ${failed.map(({ errorCode }) => errorCode)}::int[]) AS f (sid, code)
    LEFT JOIN message_attempts a ON a.message_sid = f.sid
    JOIN whatsapp_messages m ON m.message_sid = f.sid OR m.id = a.message_id
    WHERE m.sender_address IS NOT NULL AND m.recipient IS NOT NULL`;
  await suppress(sql, rows);
}

function isFailure(rawStatus: string): boolean {
  const status = projectTwilioStatus(rawStatus);
  return status === 'failed' || status === 'undelivered';
}

async function suppress(sql: postgres.ISql, rows: readonly OptedOut[]): Promise<void> {
  const events = rows.flatMap(({ senderAddress, recipient, claimedAt, errorCode }): SuppressionEvent[] => {
    const category = OPT_OUT_CODES.get(errorCode);
    if (category === undefined) return [];
    const reason = `Twilio error ${errorCode}`;
    return [{ senderAddress, recipient, category, suppressed: true, at: claimedAt.toISOString(), source: 'error', reason }];
  });
  if (events.length > 0) await upsertSuppressions(sql, events);
}
