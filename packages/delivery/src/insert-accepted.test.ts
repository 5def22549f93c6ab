import { createHash } from 'node:crypto';
import { newMessageId } from '@tickmark/domain';
import { acceptedMessage, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { deliveryRoom, valuesOf } from './fixtures/delivery-room.ts';
import { insertAccepted } from './insert-accepted.ts';

const room = deliveryRoom();

describe('an accepted message', () => {
  it('becomes a waiting row with everything that was asked for', async () => {
    const message = acceptedMessage({
      mediaUrl: 'https://example.com/a.png',
      priority: 'transactional',
      category: 'utility',
      campaign: 'spring',
      metadata: { order: '17' },
      onUnknown: 'resend',
      contentVariables: { '1': 'x' },
    });
    expect(await insert(message)).toEqual({
      id: message.id,
      result: 'inserted',
      waiting: true,
      status: 'accepted',
      dueAt: expect.any(Date),
      sender: 'support',
      priority: 'transactional',
    });
    expect(await room.row(message.id)).toMatchObject({
      origin: 'api',
      producer: 'shop',
      request_hash: `\\x${message.requestHash}`,
      sender: 'support',
      sender_address: message.senderAddress,
      recipient: message.recipient,
      body: message.body,
      content_sha256: `\\x${createHash('sha256')
        .update(message.body ?? '')
        .digest('hex')}`,
      content_variables: '{"1":"x"}',
      media_url: 'https://example.com/a.png',
      category: 'utility',
      campaign: 'spring',
      metadata: { order: '17' },
      on_unknown: 'resend',
      status: 'accepted',
      open_status: 'accepted',
      rank: 0,
      attempts: 0,
      message_sid: null,
      expires_at: null,
    });
  });

  it('with a time to come is scheduled for it', async () => {
    const sendAt = new Date(Date.now() + 7_200_000).toISOString();
    expect(await insert(acceptedMessage({ sendAt }))).toMatchObject({ waiting: true, status: 'scheduled', dueAt: new Date(sendAt) });
  });

  it('with a time that has passed is due now', async () => {
    const message = acceptedMessage({ sendAt: new Date(Date.now() - 60_000).toISOString() });
    expect(await insert(message)).toMatchObject({ status: 'accepted' });
    expect((await room.claim(message.id)).answer.kind).toBe('claimed');
  });

  it('expires its validity after the later of acceptance and its time', async () => {
    const acceptedAt = '2026-01-02T03:04:05.000Z';
    const plain = await room.insert({ acceptedAt, validityPeriodSeconds: 90 });
    const later = await room.insert({ acceptedAt, sendAt: '2026-01-02T04:00:00.000Z', validityPeriodSeconds: 90 });
    expect((await room.row(plain.id))?.['expires_at']).toBe('2026-01-02T03:05:35+00:00');
    expect((await room.row(later.id))?.['expires_at']).toBe('2026-01-02T04:01:30+00:00');
  });

  it('to a business-scoped user id is stored as it is', async () => {
    const message = await room.insert({ recipient: 'whatsapp:US.13491208655302741918' });
    expect(await room.row(message.id)).toMatchObject({ recipient: 'whatsapp:US.13491208655302741918' });
  });

  it('that was canceled before it came is canceled, if the same producer asked', async () => {
    const [mine, other] = [acceptedMessage(), acceptedMessage()];
    await room.db.sql`INSERT INTO cancel_requests (message_id, producer) VALUES (${mine.id}, 'shop'), (${other.id}, 'someone else')`;
    expect(await insert(mine)).toMatchObject({ result: 'inserted', waiting: false, status: 'canceled', dueAt: null });
    expect(await insert(other)).toMatchObject({ waiting: true, status: 'accepted' });
  });
});

describe('a message that comes again', () => {
  it('changes nothing and tells how its row stands', async () => {
    const message = acceptedMessage();
    const first = await insert(message);
    const before = await room.row(message.id);
    expect(await insert({ ...message, acceptedAt: new Date().toISOString() })).toEqual({ ...first, result: 'exists' });
    expect(await room.row(message.id)).toEqual(before);
  });

  it('in the same batch is inserted once, the first one', async () => {
    const message = acceptedMessage();
    const again = { ...message, requestHash: 'f'.repeat(64), body: 'other' };
    const answers = valuesOf(await insertAccepted(room.db, [message, message, again]));
    expect(answers.map((answer) => answer.result)).toEqual(['inserted', 'exists', 'conflict_hash']);
    expect(await room.row(message.id)).toMatchObject({ body: message.body });
  });

  it('whose row was erased or cleaned up is not sent again', async () => {
    const [message, other] = [acceptedMessage(), acceptedMessage()];
    await room.db.sql`INSERT INTO message_tombstones (message_id) VALUES (${message.id})`;
    const answers = valuesOf(await insertAccepted(room.db, [message, other]));
    expect(answers).toMatchObject([
      { id: message.id, result: 'deleted', waiting: false },
      { id: other.id, result: 'inserted' },
    ]);
    expect(await room.row(message.id)).toBeNull();
  });

  it('in many batches at once is inserted once', async () => {
    const messages = Array.from({ length: 30 }, () => acceptedMessage());
    const settled = await Promise.all([0, 1, 2, 3].map(() => insertAccepted(room.db, messages)));
    const answers = settled.flatMap(valuesOf);
    expect(answers.filter((answer) => answer.result === 'inserted')).toHaveLength(30);
    expect(answers.every((answer) => answer.waiting)).toBe(true);
  });

  it('after it was sent waits no more', async () => {
    const { message } = await room.sendAccepted();
    expect(await insert(message)).toMatchObject({ result: 'exists', waiting: false, status: 'queued', dueAt: null });
  });

  it('with another request creates nothing and is audited once', async () => {
    const message = await room.insert();
    const other = { ...message, requestHash: 'e'.repeat(64), body: 'other' };
    expect(await insert(other)).toMatchObject({ result: 'conflict_hash', waiting: true });
    await insert(other);
    expect(await room.row(message.id)).toMatchObject({ body: message.body });
    expect(await audits(message.id)).toEqual([
      { actor: 'shop', action: 'idempotency_conflict_hash', details: { requestHash: 'e'.repeat(64) } },
    ]);
  });

  it('from another producer is never taken for a repetition', async () => {
    const message = await room.insert();
    expect(await insert({ ...message, producer: 'someone else' })).toMatchObject({ result: 'conflict_producer' });
    expect(await audits(message.id)).toEqual([expect.objectContaining({ actor: 'someone else', action: 'idempotency_conflict_producer' })]);
  });

  it('to a row that a callback had brought back is that message: it was sent, so it does not wait', async () => {
    const message = acceptedMessage({ id: newMessageId() });
    valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: message.id, attempt: 1, rawStatus: 'sent' })]));
    expect(await insert(message)).toMatchObject({ result: 'exists', waiting: false, status: 'sent' });
  });
});

async function insert(message: ReturnType<typeof acceptedMessage>) {
  return valuesOf(await insertAccepted(room.db, [message]))[0];
}

async function audits(id: string) {
  return [...(await room.db.sql`SELECT actor, action, details FROM audit_log WHERE message_id = ${id}`)];
}
