import { describeError, newMessageId } from '@tickmark/domain';
import { randomSid, statusEvent } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { cancelMessages } from './cancel-messages.ts';
import { accepted, deliveryRoom, rejected, throttled, valuesOf } from './fixtures/delivery-room.ts';
import { getMessageDeliveryStatus } from './get-message-delivery-status.ts';
import { insertRetries } from './insert-retries.ts';
import { recordOutcome } from './record-outcome.ts';
import { recordSuppressions } from './record-suppressions.ts';

const room = deliveryRoom();

describe('the status of a message', () => {
  it('that only waits has every property, with null for what is not there', async () => {
    const message = await room.insert({ body: 'hello', metadata: { order: '1' }, campaign: 'spring' });
    expect(await status(message.id)).toEqual({
      id: message.id,
      status: 'accepted',
      messageSid: null,
      sender: 'support',
      from: message.senderAddress,
      to: message.recipient,
      producer: 'shop',
      origin: 'api',
      campaign: 'spring',
      priority: 'bulk',
      onUnknown: 'hold',
      attempts: 0,
      errorCode: null,
      error: null,
      contradicted: false,
      createdAt: message.acceptedAt,
      sendAt: null,
      queuedAt: null,
      sentAt: null,
      deliveredAt: null,
      readAt: null,
      failedAt: null,
      retryOf: null,
      retriedBy: null,
      metadata: { order: '1' },
      content: { body: 'hello', contentSid: null, contentVariables: null, mediaUrl: null },
      timeline: [{ at: message.acceptedAt, kind: 'accepted', status: 'accepted', errorCode: null, attempt: null, source: 'shop' }],
    });
  });

  it('tells its life in order: acceptance, every attempt, every status once', async () => {
    const message = await room.insert({ acceptedAt: '2026-01-02T00:00:00.000Z' });
    const first = await room.claim(message.id);
    await record(message.id, 1, first.token, throttled(0));
    const second = await room.claim(message.id);
    const sid = randomSid();
    await record(message.id, 2, second.token, accepted(sid));
    const event = { messageId: message.id, attempt: 2, messageSid: sid };
    const receivedAt = inSeconds(5);
    for (const rawStatus of ['delivered', 'sent', 'delivered']) await apply({ ...event, rawStatus, receivedAt });
    await apply({ ...event, messageId: null, attempt: null, rawStatus: 'read', receivedAt: inSeconds(9), source: 'poll' });
    const { timeline } = (await status(message.id))!;
    expect(timeline.map((entry) => [entry.kind, entry.status, entry.errorCode, entry.attempt, entry.source])).toEqual([
      ['accepted', 'accepted', null, null, 'shop'],
      ['attempt', 'throttled', 20429, 1, null],
      ['attempt', 'accepted', null, 2, null],
      ['callback', 'sent', null, 2, 'callback'],
      ['callback', 'delivered', null, 2, 'callback'],
      ['reconciled', 'read', null, 2, 'poll'],
    ]);
  });

  it('explains its error code', async () => {
    const { id } = await room.insert();
    const { token } = await room.claim(id);
    await record(id, 1, token, rejected(63016));
    const { code, class: errorClass, meaning, cause, remedy } = describeError(63016);
    expect(await status(id)).toMatchObject({
      status: 'failed',
      errorCode: 63016,
      error: { code, class: errorClass, meaning, cause, remedy },
      failedAt: expect.any(String),
    });
    expect(Object.keys((await status(id))?.error ?? {})).toHaveLength(5);
  });

  it('shows no ciphertext and nothing that was redacted', async () => {
    const [encrypted, redacted] = [await room.insert(), await room.insert()];
    await room.db.sql`UPDATE whatsapp_messages SET content_key_id = 'k1' WHERE id = ${encrypted.id}`;
    await room.db.sql`UPDATE whatsapp_messages SET body = NULL WHERE id = ${redacted.id}`;
    expect((await status(encrypted.id))?.content).toBeNull();
    expect((await status(redacted.id))?.content).toBeNull();
  });

  it('names the row that retries it, and the row that it retries', async () => {
    const { message, sid } = await room.sendAccepted();
    await apply({ messageId: message.id, attempt: 1, messageSid: sid, rawStatus: 'failed', errorCode: 63012 });
    const decision = { action: 'retry', delayMsMin: 1_000, delayMsMax: 2_000, opens: null } as const;
    const [made] = valuesOf(await insertRetries(room.db, [{ id: message.id, errorCode: 63012, decision }]));
    expect(await status(message.id)).toMatchObject({ retriedBy: made?.id, retryOf: null, status: 'failed' });
    const retry = await status(made?.id ?? '');
    expect(retry).toMatchObject({ retriedBy: null, retryOf: message.id, origin: 'retry', status: 'scheduled', producer: 'shop' });
    expect(retry?.timeline).toMatchObject([{ kind: 'accepted', status: 'scheduled', source: 'system' }]);
  });

  it('shows what people did about it', async () => {
    const { id } = await room.insert();
    await room.db.sql`INSERT INTO audit_log (actor, action, message_id) VALUES ('ann', 'resolve_close', ${id})`;
    expect((await status(id))?.timeline.at(-1)).toMatchObject({ kind: 'operator', status: 'resolve_close', source: 'ann' });
  });

  it('says who cancelled it, when its validity ended, and by whom its recipient was suppressed', async () => {
    const [canceled, expired, suppressed] = [await room.insert(), await room.insert({ validityPeriodSeconds: 1 }), await room.insert()];
    valuesOf(await cancelMessages(room.db, [{ id: canceled.id, producer: 'shop' }]));
    await room.db.sql`UPDATE whatsapp_messages SET expires_at = '2026-01-01' WHERE id = ${expired.id}`;
    const { senderAddress, recipient } = suppressed;
    const said = { senderAddress, recipient, suppressed: true, at: '2026-01-02T00:00:00.000Z', reason: 'STOP' };
    valuesOf(await recordSuppressions(room.db, [{ ...said, category: 'all', source: 'inbound' }]));
    for (const { id } of [expired, suppressed]) await room.claim(id);
    const ending = async ({ id }: { id: string }) => {
      const found = await status(id);
      return [found?.status, found?.timeline.find((entry) => entry.kind !== 'accepted')];
    };
    const time = expect.stringMatching(/Z$/);
    const entry = { errorCode: null, attempt: null };
    expect(await ending(canceled)).toEqual(['canceled', { ...entry, at: time, kind: 'operator', status: 'canceled', source: 'shop' }]);
    const at = '2026-01-01T00:00:00.000Z';
    expect(await ending(expired)).toEqual(['expired', { ...entry, at, kind: 'reconciled', status: 'expired', source: 'system' }]);
    const event = { ...entry, at: said.at, kind: 'reconciled', status: 'suppressed', source: 'inbound' };
    expect(await ending(suppressed)).toEqual(['suppressed', event]);
  });

  it('of a message that we did not send says so', async () => {
    const sid = randomSid();
    await apply({ messageSid: sid, rawStatus: 'delivered', to: 'whatsapp:US.abc' });
    expect(await status(sid)).toMatchObject({ origin: 'external', producer: null, sender: null, to: 'whatsapp:US.abc', content: null });
  });
});

describe('a message is found', () => {
  it('by its id, in any case, and by its sid', async () => {
    const { message, sid } = await room.sendAccepted();
    for (const name of [message.id, message.id.toUpperCase(), sid]) expect((await status(name))?.id).toBe(message.id);
  });

  it('by the sid of an older attempt and by a sid that was only logged for it', async () => {
    const { id } = await room.insert();
    const { token } = await room.claim(id);
    await record(id, 1, token, throttled(0));
    await room.claim(id);
    const [older, stray] = [randomSid(), randomSid()];
    await apply({ messageId: id, attempt: 1, messageSid: older, rawStatus: 'sent' });
    await apply({ messageId: id, attempt: 1, messageSid: stray, rawStatus: 'sent' });
    expect((await status(older))?.id).toBe(id);
    expect((await status(stray))?.id).toBe(id);
  });

  it.each([newMessageId(), randomSid(), '', 'a\0b', '\uD800', `' OR true --`])('not when there is none (%j)', async (name) => {
    expect(await status(name)).toBeNull();
  });
});

function status(idOrSid: string) {
  return getMessageDeliveryStatus({ db: room.db, describeError }, { idOrSid });
}

async function record(id: string, attempt: number, token: string, outcome: ReturnType<typeof accepted>) {
  valuesOf(await recordOutcome(room.db, [{ id, attempt, token, outcome }]));
}

async function apply(event: Parameters<typeof statusEvent>[0]) {
  valuesOf(await applyStatuses(room.db, [statusEvent(event)]));
}

function inSeconds(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString();
}
