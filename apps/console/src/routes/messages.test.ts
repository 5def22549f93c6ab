import { randomUUID } from 'node:crypto';
import { applyStatuses, claimForSending, recordOutcome } from '@tickmark/delivery';
import { messageIdFor, type StatusEvent } from '@tickmark/domain';
import { randomSid, statusEvent } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createConsoleHarness, type ConsoleHarness } from '../fixtures/console-harness.ts';

describe('GET /v1/messages/:id', () => {
  let app: ConsoleHarness;
  beforeAll(async () => {
    app = await createConsoleHarness();
  });
  afterAll(() => app.close());

  /** A message that was sent and whose delivery then failed. */
  const insertUndelivered = async () => {
    const message = await app.insert();
    const messageSid = randomSid();
    const token = randomUUID();
    await claimForSending(app.db, [{ id: message.id, token }], { account: 'any', windowGuard: 'auto' });
    const evidence = { httpStatus: 201, errorCode: null, requestId: null };
    const outcome = { kind: 'accepted' as const, messageSid, rawStatus: 'queued', ...evidence };
    await recordOutcome(app.db, [{ id: message.id, attempt: 1, token, outcome }]);
    await applyStatuses(app.db, [callback(message.id, messageSid, 'sent', null), callback(message.id, messageSid, 'undelivered', 63024)]);
    return { ...message, messageSid };
  };

  it('tells everything about a message by its id', async () => {
    const message = await insertUndelivered();
    const { status, json } = await app.get(`/v1/messages/${message.id}`);
    expect(status).toBe(200);
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(json).toEqual({
      id: message.id,
      status: 'undelivered',
      messageSid: message.messageSid,
      sender: 'support',
      from: message.senderAddress,
      to: message.recipient,
      producer: 'shop',
      origin: 'api',
      campaign: 'spring',
      priority: 'bulk',
      onUnknown: 'hold',
      attempts: 1,
      errorCode: 63024,
      error: { code: 63024, class: expect.any(String), meaning: expect.any(String), cause: expect.any(String), remedy: expect.any(String) },
      contradicted: false,
      createdAt: message.acceptedAt,
      sendAt: null,
      queuedAt: time,
      sentAt: time,
      deliveredAt: null,
      readAt: null,
      failedAt: time,
      retryOf: null,
      retriedBy: null,
      metadata: { order: '17' },
      content: { body: message.body, contentSid: null, contentVariables: null, mediaUrl: null },
      timeline: expect.any(Array),
    });
    const seen = json.timeline.map((entry) => `${entry.kind} ${entry.status}`);
    expect(seen).toContain('callback sent');
    expect(seen).toContain('callback undelivered');
    expect(json.timeline[0]?.kind).toBe('accepted');
  });

  it('finds it by its SID too', async () => {
    const message = await insertUndelivered();
    expect((await app.get(`/v1/messages/${message.messageSid}`)).json.id).toBe(message.id);
  });

  it('leaves nothing out of a message that only waits', async () => {
    const message = await app.insert({ metadata: null, campaign: null, category: null });
    const { json } = await app.get(`/v1/messages/${message.id}`);
    expect(json).toMatchObject({ status: 'accepted', messageSid: null, attempts: 0, error: null, queuedAt: null, metadata: null });
    expect(Object.values(json)).not.toContain(undefined);
    expect(Object.keys(json)).toHaveLength(27);
  });

  it.each(['0b6d1f4e-52b7-4f0a-8f0e-2f8a8f6f0c11', `SM${'0'.repeat(32)}`, 'nonsense', '%00', "'%20OR%201=1", 'x'.repeat(200)])(
    'answers 404 for %s',
    async (id) => {
      const { status, json } = await app.get(`/v1/messages/${id}`);
      expect(status).toBe(404);
      expect(json.error).toMatchObject({ code: 'MESSAGE_NOT_FOUND', message: expect.stringContaining('check it') });
    },
  );

  it('finds a message by its idempotency key, of the asking key or of a named producer', async () => {
    const message = await app.insert({ id: messageIdFor('shop', 'order 1/2') ?? '' });
    const query = `idempotencyKey=${encodeURIComponent('order 1/2')}`;
    expect((await app.get(`/v1/messages?${query}&producer=shop`)).json).toEqual({ items: [expect.objectContaining({ id: message.id })] });
    expect((await app.get(`/v1/messages?${query}`, 'shop')).json.items).toHaveLength(1);
    expect((await app.get(`/v1/messages?${query}`)).json.items).toHaveLength(1);
    expect((await app.get(`/v1/messages?${query}`, 'mail')).json).toEqual({ items: [] });
    expect((await app.get(`/v1/messages?idempotencyKey=id:${message.id}`)).json.items).toHaveLength(1);
  });

  it.each([
    ['?idempotencyKey=', 'idempotencyKey'],
    ['?idempotencyKey=id:17', 'idempotencyKey'],
    ['?idempotencyKey=k&status=sent', 'status'],
    ['?idempotencyKey=k&producer=shop&producer=mail', 'producer'],
  ])('refuses the query "%s" and names what is wrong', async (query, name) => {
    const { status, json } = await app.get(`/v1/messages${query}`);
    expect(status).toBe(400);
    expect(json.error.code).toBe('VALIDATION_FAILED');
    expect(JSON.stringify(json.error)).toContain(name);
  });

  it('shows a sending key its own messages and no others', async () => {
    const message = await insertUndelivered();
    const keyed = await app.insert({ id: messageIdFor('shop', 'secret') ?? '' });
    expect((await app.get(`/v1/messages/${message.id}`, 'shop')).status).toBe(200);
    for (const id of [message.id, message.messageSid]) {
      expect(await app.get(`/v1/messages/${id}`, 'mail')).toMatchObject({ status: 404, json: { error: { code: 'MESSAGE_NOT_FOUND' } } });
    }
    expect((await app.get('/v1/messages?idempotencyKey=secret&producer=shop', 'mail')).json).toEqual({ items: [] });
    expect((await app.get(`/v1/messages?idempotencyKey=id:${keyed.id}`, 'mail')).json).toEqual({ items: [] });
  });

  it('asks for a key that may read', async () => {
    for (const path of ['/v1/messages/x', '/v1/messages?idempotencyKey=k']) {
      expect(await app.get(path, null)).toMatchObject({ status: 401, json: { error: { code: 'UNAUTHENTICATED' } } });
      expect(await app.get(path, 'boss')).toMatchObject({ status: 403, json: { error: { code: 'FORBIDDEN_SCOPE' } } });
    }
  });

  it('writes neither bodies nor phones nor keys to the log', async () => {
    const message = await insertUndelivered();
    await app.get(`/v1/messages/${message.id}`);
    for (const secret of [message.body ?? '', message.recipient.slice(-11), app.keys.desk]) expect(app.log.text()).not.toContain(secret);
  });
});

function callback(messageId: string | null, messageSid: string, rawStatus: string, errorCode: number | null): StatusEvent {
  return statusEvent({ messageId, attempt: messageId === null ? null : 1, messageSid, rawStatus, errorCode });
}
