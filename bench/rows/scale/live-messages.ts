import { randomBytes } from 'node:crypto';
import { newMessageId, type StatusEvent } from '@tickmark/domain';
import type postgres from 'postgres';
import { seededRandom } from '../../../tests/support/counts.ts';
import { SENDER, type SentMessage } from '../callbacks/make-callbacks.ts';
import { insertSentMessages } from '../callbacks/seed-messages.ts';

const STATUSES = ['sent', 'delivered', 'read'] as const;
/** Statuses of different messages mix, as they do at line rate. */
const STATUS_DISTANCE = 500;
const SEED = 20_260_802;

/** Messages of the last minute, and what Twilio tells of them, in the order in which it comes. */
export interface LiveTraffic {
  messages: SentMessage[];
  events: StatusEvent[];
}

export function makeLiveTraffic(count: number): LiveTraffic {
  const messages = Array.from({ length: count }, (_, index): SentMessage => ({
    id: newMessageId(),
    sid: `SM${randomBytes(16).toString('hex')}`,
    recipient: `whatsapp:+1556${String(1_000_000 + index)}`,
  }));
  const random = seededRandom(SEED);
  const events = messages
    .flatMap((message, index) =>
      STATUSES.map((status, stage) => ({ message, status, at: index + (stage + random.next()) * STATUS_DISTANCE })),
    )
    .toSorted((a, b) => a.at - b.at)
    .map(({ message, status }) => toEvent(message, status));
  return { messages, events };
}

function toEvent({ id, sid, recipient }: SentMessage, rawStatus: string): StatusEvent {
  return {
    messageId: id,
    attempt: 1,
    messageSid: sid,
    rawStatus,
    errorCode: null,
    receivedAt: new Date().toISOString(),
    from: SENDER,
    to: recipient,
    messagingServiceSid: null,
    channelStatusMessage: null,
    source: 'callback',
  };
}

/** They are there before the clock starts. */
export async function storeLive(sql: postgres.Sql, { messages }: LiveTraffic): Promise<void> {
  await insertSentMessages(sql, messages);
}

/** How many statuses are not there, and how many rows stand lower than the last one. */
export async function judgeLive(
  sql: postgres.Sql,
  { messages, events }: LiveTraffic,
): Promise<{ applied: number; missing: number; regressed: number }> {
  const [row] = await sql<{ logged: number; read: number }[]>`
    SELECT (SELECT count(*)::int FROM message_status_logs WHERE message_sid = ANY (${messages.map(({ sid }) => sid)}::text[])) AS logged,
      (SELECT count(*)::int FROM whatsapp_messages WHERE id = ANY (${messages.map(({ id }) => id)}::uuid[]) AND status = 'read') AS read`;
  return { applied: events.length, missing: events.length - (row?.logged ?? 0), regressed: messages.length - (row?.read ?? 0) };
}

/** The loaded database is as it was, for the next run. */
export async function removeLive(sql: postgres.Sql, { messages }: LiveTraffic): Promise<void> {
  await sql`DELETE FROM message_status_logs WHERE message_sid = ANY (${messages.map(({ sid }) => sid)}::text[])`;
  await sql`DELETE FROM whatsapp_messages WHERE id = ANY (${messages.map(({ id }) => id)}::uuid[])`;
}
