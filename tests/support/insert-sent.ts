import { randomUUID } from 'node:crypto';
import { insertAccepted, type Database } from '@tickmark/delivery';
import { acceptedMessage, randomSid } from '@tickmark/testing';

export interface SentMessage {
  id: string;
  messageSid: string;
  from: string;
  to: string;
}

const PER_STATEMENT = 500;

/** Rows of messages that Twilio has taken, as the worker leaves them. */
export async function insertSent(db: Database, count: number): Promise<SentMessage[]> {
  const sent: SentMessage[] = [];
  while (sent.length < count) {
    const messages = Array.from({ length: Math.min(PER_STATEMENT, count - sent.length) }, () => acceptedMessage());
    // oxlint-disable-next-line no-await-in-loop -- statements of a size that the product writes
    await insertAccepted(db, messages);
    const part = messages.map(({ id, senderAddress, recipient }) => ({ id, messageSid: randomSid(), from: senderAddress, to: recipient }));
    // oxlint-disable-next-line no-await-in-loop -- as above
    await db.sql`
      UPDATE whatsapp_messages m SET status = 'queued', rank = 20, message_sid = s.sid, sid_source = 'record', outcome = 'accepted',
        attempts = 1, claim_token = ${randomUUID()}::uuid, claimed_at = now(), ended_at = now(), due_at = NULL
      FROM unnest(${part.map(({ id }) => id)}::uuid[], ${part.map(({ messageSid }) => messageSid)}::text[]) AS s (id, sid) WHERE m.id = s.id`;
    sent.push(...part);
  }
  return sent;
}
