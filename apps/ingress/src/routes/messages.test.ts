import { messageIdFor } from '@tickmark/domain';
import { createProducers } from '@tickmark/queues';
import { captureLogger, randomApiKey, randomBody, randomPhone, testRedis, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIngressHarness, type IngressHarness } from '../fixtures/ingress-harness.ts';
import { postPipelined } from '../fixtures/post-pipelined.ts';

describe('POST /v1/messages', () => {
  let ingress: IngressHarness;
  beforeAll(async () => {
    ingress = await createIngressHarness();
  });
  afterAll(() => ingress.close());

  const message = (overrides: object = {}) => ({ to: randomPhone(), body: randomBody(), ...overrides });

  it('answers 202 with an id, and the queue holds the whole message', async () => {
    const asked = message({
      from: 'news',
      priority: 'transactional',
      category: 'utility',
      campaign: 'spring',
      metadata: { order: '17' },
      mediaUrl: 'https://example.com/picture.png',
    });
    const { status, json } = await ingress.post(asked);
    expect(status).toBe(202);
    expect(json).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/), status: 'accepted' });

    const { messages } = await ingress.enqueued();
    expect(messages).toEqual([
      {
        id: json.id,
        producer: 'shop',
        requestHash: expect.stringMatching(/^[0-9a-f]{64}$/),
        sender: 'news',
        senderAddress: ingress.senders[1]?.address,
        recipient: `whatsapp:${asked.to}`,
        body: asked.body,
        contentSid: null,
        contentVariables: null,
        mediaUrl: 'https://example.com/picture.png',
        priority: 'transactional',
        category: 'utility',
        campaign: 'spring',
        metadata: { order: '17' },
        onUnknown: 'hold',
        acceptedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        sendAt: null,
        validityPeriodSeconds: null,
      },
    ]);
  });

  it('sends from the first sender, as bulk, when nothing else is said', async () => {
    await ingress.post(message());
    const { messages } = await ingress.enqueued();
    expect(messages).toMatchObject([{ sender: 'support', priority: 'bulk' }]);
  });

  it('takes a template with its variables as an object or as JSON', async () => {
    const contentSid = `HX${'0a'.repeat(16)}`;
    const template = { to: randomPhone(), contentSid };
    await ingress.post({ ...template, contentVariables: { '1': 'Ada' } });
    await ingress.post({ ...template, contentVariables: '{"1":"Ada"}' });
    const { messages } = await ingress.enqueued();
    expect(messages.map(({ contentVariables }) => contentVariables)).toEqual([{ '1': 'Ada' }, { '1': 'Ada' }]);
  });

  it('answers "scheduled" for a time to come, and the queue holds the time, the validity and the choice', async () => {
    const sendAt = new Date(Date.now() + 3_600_000).toISOString();
    const later = await ingress.post(message({ sendAt, validityPeriod: 90, onUnknown: 'resend' }));
    const now = await ingress.post(message({ sendAt: '2020-01-01T00:00:00+01:00' }));
    expect([later.json, now.json]).toMatchObject([{ status: 'scheduled' }, { status: 'accepted' }]);
    expect((await ingress.enqueued()).messages).toMatchObject([
      { id: later.json.id, sendAt, validityPeriodSeconds: 90, onUnknown: 'resend' },
      { id: now.json.id, sendAt: null, validityPeriodSeconds: null, onUnknown: 'hold' },
    ]);
  });

  it('keeps transactional and bulk messages in jobs of their own', async () => {
    await Promise.all(Array.from({ length: 20 }, (_, index) => ingress.post(message({ priority: index % 2 ? 'bulk' : 'transactional' }))));
    const { messages } = await ingress.enqueued();
    const order = messages.map(({ priority }) => priority);
    expect(order.slice(0, 10)).toEqual(Array(10).fill('transactional'));
    expect(order.slice(10)).toEqual(Array(10).fill('bulk'));
  });

  it('writes 200 concurrent messages in far fewer jobs', async () => {
    const headers = { authorization: `Bearer ${ingress.keys.shop}`, 'content-type': 'application/json' };
    const request = () => ({ path: '/v1/messages', headers, body: JSON.stringify(message()) });
    const statuses = await postPipelined(ingress.url, Array.from({ length: 200 }, request));
    expect(statuses).toEqual(Array(200).fill(202));
    const { messages, jobs } = await ingress.enqueued();
    expect(new Set(messages.map(({ id }) => id)).size).toBe(200);
    expect(jobs).toBeLessThan(20);
  });

  describe('refuses, says what to do, and enqueues nothing:', () => {
    const longBody = 'x'.repeat(1601);
    it.each([
      ['a body that is no JSON', '{', {}, 400, 'INVALID_JSON', /JSON/],
      ['an empty body', '', {}, 400, 'INVALID_JSON', /JSON/],
      ['no object', '[]', {}, 400, 'VALIDATION_FAILED', /Correct the message/],
      ['no recipient', { body: 'x' }, {}, 400, 'VALIDATION_FAILED', /to: /],
      ['an unknown property', message({ colour: 'red' }), {}, 400, 'VALIDATION_FAILED', /colour/],
      ['neither text nor template', { to: '+15005550006' }, {}, 400, 'VALIDATION_FAILED', /contentSid.* or body/],
      ['a time without an offset', message({ sendAt: '2030-01-01T00:00:00' }), {}, 400, 'VALIDATION_FAILED', /sendAt: must be a date/],
      ['a time too far ahead', message({ sendAt: '2999-01-01T00:00:00Z' }), {}, 400, 'VALIDATION_FAILED', /sendAt: .* 35 days/],
      ['a validity of no time', message({ validityPeriod: 0 }), {}, 400, 'VALIDATION_FAILED', /validityPeriod: must be from 1/],
      ['an unknown choice', message({ onUnknown: 'drop' }), {}, 400, 'VALIDATION_FAILED', /onUnknown: must be one of/],
      ['a recipient that cannot be', message({ to: '12' }), {}, 400, 'INVALID_RECIPIENT', /to: must be \+/],
      ['a text of 1,601 characters', message({ body: longBody }), {}, 400, 'BODY_TOO_LONG', /at most 1600/],
      ['a sender that is none', message({ from: 'nobody' }), {}, 400, 'UNKNOWN_SENDER', /support, news/],
      ['an empty idempotency key', message(), { 'idempotency-key': '' }, 400, 'VALIDATION_FAILED', /Idempotency-Key.*1 to 255/],
      ['a key of 256 characters', message(), { 'idempotency-key': 'k'.repeat(256) }, 400, 'VALIDATION_FAILED', /1 to 255/],
      ['id: without a UUID', message(), { 'idempotency-key': 'id:17' }, 400, 'VALIDATION_FAILED', /UUID/],
      ['no API key', message(), { authorization: '' }, 401, 'UNAUTHENTICATED', /Authorization: Bearer/],
      ['an unknown API key', message(), { authorization: `Bearer ${'x'.repeat(40)}` }, 401, 'UNAUTHENTICATED', /operator/],
      ['a body over 64 KiB', message({ body: 'x'.repeat(70_000) }), {}, 413, 'PAYLOAD_TOO_LARGE', /smaller/],
      [
        'another content type',
        'to=1',
        { 'content-type': 'application/x-www-form-urlencoded' },
        415,
        'UNSUPPORTED_MEDIA_TYPE',
        /application\/json/,
      ],
    ] as const)('%s', async (_name, body, headers, status, code, says) => {
      const answer = await ingress.post(body, headers);
      expect(answer.json.error).toMatchObject({ code, message: expect.stringMatching(says), requestId: expect.any(String) });
      expect(answer.status).toBe(status);
      expect((await ingress.enqueued()).messages).toEqual([]);
    });

    it('a key without the scope send', async () => {
      const answer = await ingress.post(message(), { authorization: `Bearer ${ingress.keys.desk}` });
      expect(answer).toMatchObject({ status: 403, json: { error: { code: 'FORBIDDEN_SCOPE', message: expect.stringContaining('send') } } });
      expect((await ingress.enqueued()).messages).toEqual([]);
    });

    it('a sender that the key may not use, by alias and by address, naming those that it may', async () => {
      for (const from of ['news', ingress.senders[1]?.address]) {
        const answer = await ingress.post(message({ from }), { authorization: `Bearer ${ingress.keys.mail}` });
        expect(answer).toMatchObject({
          status: 403,
          json: { error: { code: 'FORBIDDEN_SENDER', message: expect.stringContaining('support') } },
        });
      }
      const unknown = await ingress.post(message({ from: 'nobody' }), { authorization: `Bearer ${ingress.keys.mail}` });
      expect(unknown.json.error.message).not.toContain('news');
      expect((await ingress.enqueued()).messages).toEqual([]);
    });
  });

  it('names every problem of a message by its path', async () => {
    const { json } = await ingress.post({ to: '12', body: 'x'.repeat(1601), priority: 'urgent' });
    expect(json.error.details).toEqual([
      { path: 'to', message: expect.any(String) },
      { path: 'body', message: expect.any(String) },
      { path: 'priority', message: expect.any(String) },
    ]);
  });

  describe('with an Idempotency-Key', () => {
    it('gives a repeat the same id, says so, and puts it through intake again', async () => {
      const asked = message();
      const first = await ingress.post(asked, { 'idempotency-key': 'order-1' });
      const second = await ingress.post(asked, { 'idempotency-key': 'order-1' });
      expect([first.status, second.status]).toEqual([202, 202]);
      expect(first.headers.get('idempotency-replayed')).toBeNull();
      expect(second.headers.get('idempotency-replayed')).toBe('true');
      expect(first.json.id).toBe(messageIdFor('shop', 'order-1'));
      expect(second.json.id).toBe(first.json.id);
      const { messages } = await ingress.enqueued();
      expect(messages.map(({ id, requestHash }) => [id, requestHash])).toEqual([
        [first.json.id, messages[0]?.requestHash],
        [first.json.id, messages[0]?.requestHash],
      ]);
    });

    it('takes the same message in other words for the same', async () => {
      const { to, body } = message();
      await ingress.post({ to, body, priority: 'bulk' }, { 'idempotency-key': 'order-2' });
      const repeat = await ingress.post({ body, to: `whatsapp:${to}` }, { 'idempotency-key': 'order-2' });
      expect(repeat.headers.get('idempotency-replayed')).toBe('true');
      await ingress.enqueued();
    });

    it('refuses another message under a used key and enqueues nothing', async () => {
      const asked = message();
      await ingress.post(asked, { 'idempotency-key': 'order-3' });
      await ingress.enqueued();
      const other = await ingress.post({ ...asked, body: 'something else' }, { 'idempotency-key': 'order-3' });
      expect(other).toMatchObject({
        status: 422,
        json: { error: { code: 'IDEMPOTENCY_KEY_REUSED', message: expect.stringContaining('new key') } },
      });
      expect((await ingress.enqueued()).messages).toEqual([]);
    });

    it('keeps the keys of two producers apart', async () => {
      const mine = await ingress.post(message(), { 'idempotency-key': 'order-4' });
      const theirs = await ingress.post(message(), { 'idempotency-key': 'order-4', authorization: `Bearer ${ingress.keys.mail}` });
      expect(theirs.status).toBe(202);
      expect(theirs.json.id).not.toBe(mine.json.id);
      await ingress.enqueued();
    });

    it('takes the id behind id: verbatim, so that an unknown acceptance can be repeated', async () => {
      const id = '01926f3e-7a11-7c3d-9d0a-5b8f2f0a6c11';
      const { json } = await ingress.post(message(), { 'idempotency-key': `id:${id}` });
      expect(json.id).toBe(id);
      await ingress.enqueued();
    });

    it('does not show a producer what another one asked for under the same id, and counts what it refuses', async () => {
      const key = { 'idempotency-key': 'id:01926f3e-7a11-7c3d-9d0a-5b8f2f0a6c12' };
      const asked = message();
      const mine = await ingress.post(asked, key);
      const theirs = await ingress.post(message(), { ...key, authorization: `Bearer ${ingress.keys.mail}` });
      expect([mine.status, theirs.status]).toEqual([202, 202]);
      expect(theirs.headers.get('idempotency-replayed')).toBeNull();
      const conflicts = async () => (await ingress.metrics.idempotencyConflicts.get()).values[0]?.value ?? 0;
      const before = await conflicts();
      expect((await ingress.post({ ...asked, campaign: 'other' }, key)).status).toBe(422);
      expect(await conflicts()).toBe(before + 1);
      await ingress.enqueued();
    });

    it('gives 50 concurrent requests one id', async () => {
      const asked = message();
      const answers = await Promise.all(Array.from({ length: 50 }, () => ingress.post(asked, { 'idempotency-key': 'order-5' })));
      expect(new Set(answers.map(({ status, json }) => `${status} ${json.id}`)).size).toBe(1);
      expect(answers.filter(({ headers }) => headers.get('idempotency-replayed') === 'true')).toHaveLength(49);
      await ingress.enqueued();
    });
  });

  it('writes neither phones nor bodies nor keys to the log', async () => {
    const asked = message();
    await ingress.post(asked, { 'idempotency-key': 'logged' });
    await ingress.post({ ...asked, to: '12' }, { authorization: `Bearer ${randomApiKey()}` });
    await ingress.enqueued();
    expect(ingress.log.text()).not.toContain(asked.to.slice(1));
    expect(ingress.log.text()).not.toContain(asked.body);
    expect(ingress.log.text()).not.toContain(ingress.keys.shop);
  });
});

describe('POST /v1/messages under other settings', () => {
  const open: IngressHarness[] = [];
  const start = async (...args: Parameters<typeof createIngressHarness>) => {
    const ingress = await createIngressHarness(...args);
    open.push(ingress);
    return ingress;
  };
  afterAll(() => Promise.all(open.map((ingress) => ingress.close())));

  it.each(['sandbox', 'simulator'] as const)('writes in %s mode to ALLOWED_RECIPIENTS only', async (mode) => {
    const friend = randomPhone();
    const ingress = await start({ settings: { mode, allowedRecipients: () => [`whatsapp:${friend}`] } });
    expect((await ingress.post({ to: friend, body: 'x' })).status).toBe(202);
    const refused = await ingress.post({ to: randomPhone(), body: 'x' });
    expect(refused).toMatchObject({
      status: 403,
      json: { error: { code: 'RECIPIENT_NOT_ALLOWED', message: expect.stringContaining('ALLOWED_RECIPIENTS') } },
    });
    expect((await ingress.enqueued()).messages).toHaveLength(1);
  });

  it('writes to nobody in the sandbox while ALLOWED_RECIPIENTS is not set', async () => {
    const ingress = await start({ settings: { mode: 'sandbox' } });
    expect((await ingress.post({ to: randomPhone(), body: 'x' })).json.error.code).toBe('RECIPIENT_NOT_ALLOWED');
    expect((await ingress.enqueued()).messages).toEqual([]);
  });

  it('does not ask ALLOWED_RECIPIENTS in live mode', async () => {
    const ingress = await start({ settings: { mode: 'live', allowedRecipients: () => [] } });
    expect((await ingress.post({ to: randomPhone(), body: 'x' })).status).toBe(202);
    await ingress.enqueued();
  });

  it('answers 503 while messages wait for too long to be stored, and accepts nothing', async () => {
    const redis = testRedis();
    const own = createProducers({ redisUrl: redis.redisUrl, base: redis.base, log: captureLogger().log, deadlineMs: 20_000 });
    const ingress = await start({ deps: { producers: { ...own, oldestIntakeAgeMs: () => Promise.resolve(31_000) } } });
    const message = { to: randomPhone(), body: 'x' };
    const refused = await waitFor(async () => {
      const answer = await ingress.post(message);
      return answer.status === 503 && answer;
    });
    const batch = await ingress.post({ messages: [message] }, { 'idempotency-key': 'k' }, '/v1/messages/batch');
    for (const answer of [refused, batch]) {
      expect(answer.json.error).toMatchObject({ code: 'QUEUE_UNAVAILABLE', message: expect.stringContaining('not being stored') });
    }
    await own.close();
    await redis.dropAll();
  });

  it('answers 429 with Retry-After above the rate of a key', async () => {
    const ingress = await start({ settings: { rateLimitPerKey: 3 } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => ingress.post({ to: randomPhone(), body: 'x' })));
    const limited = answers.filter(({ status }) => status === 429);
    expect(limited.length).toBeGreaterThan(0);
    expect(limited[0]?.json.error).toMatchObject({ code: 'RATE_LIMITED', message: expect.stringContaining('Retry-After') });
    expect(Number(limited[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect((await ingress.enqueued()).messages).toHaveLength(20 - limited.length);
  });
});
