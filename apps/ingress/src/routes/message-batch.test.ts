import { request } from 'node:http';
import { messageIdFor, type BatchAnswer } from '@tickmark/domain';
import { randomBody, randomPhone, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIngressHarness, type IngressHarness } from '../fixtures/ingress-harness.ts';

let ingress: IngressHarness;
beforeAll(async () => {
  ingress = await createIngressHarness();
});
afterAll(() => ingress.close());

const message = (values: object = {}) => ({ to: randomPhone(), body: randomBody(), ...values });

async function post(messages: unknown, headers: Record<string, string> = {}) {
  const answer = await ingress.post({ messages }, headers, '/v1/messages/batch');
  return { ...answer, batch: answer.json as unknown as BatchAnswer };
}

describe('POST /v1/messages/batch', () => {
  it('answers each item by itself, in order, and queues those that are accepted', async () => {
    const sendAt = new Date(Date.now() + 3_600_000).toISOString();
    const { status, batch } = await post([
      message({ campaign: 'a' }),
      message({ to: '12' }),
      message({ sendAt, priority: 'transactional' }),
      message({ from: 'nobody' }),
      null,
      message({ body: 'x'.repeat(1_601) }),
      message({ idempotencyKey: 'id:17' }),
      message({ colour: 'red' }),
    ]);
    expect(status).toBe(202);
    const refused = (index: number, code: string) => ({ index, error: { code, message: expect.any(String), details: expect.any(Array) } });
    expect(batch).toEqual({
      results: [
        { index: 0, id: expect.any(String), status: 'accepted', replayed: false },
        refused(1, 'INVALID_RECIPIENT'),
        { index: 2, id: expect.any(String), status: 'scheduled', replayed: false },
        refused(3, 'UNKNOWN_SENDER'),
        refused(4, 'VALIDATION_FAILED'),
        refused(5, 'BODY_TOO_LONG'),
        refused(6, 'VALIDATION_FAILED'),
        refused(7, 'VALIDATION_FAILED'),
      ],
      accepted: 2,
      rejected: 6,
    });
    const { messages } = await ingress.enqueued();
    const ids = batch.results.flatMap((result) => ('id' in result ? [result.id] : []));
    expect(messages.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  });

  it('binds each item to the senders of the key', async () => {
    const { batch } = await post([message({ from: 'news' }), message({ from: 'support' })], {
      authorization: `Bearer ${ingress.keys.mail}`,
    });
    expect(batch).toMatchObject({ results: [{ error: { code: 'FORBIDDEN_SENDER' } }, { status: 'accepted' }], accepted: 1, rejected: 1 });
    await ingress.enqueued();
  });

  it('gives the items of a batch with a key the keys k/<index>, recognises its repeat and refuses another body', async () => {
    const messages = [message(), message(), message({ idempotencyKey: 'own-1' })];
    const headers = { 'idempotency-key': 'batch-1' };
    const first = await post(messages, headers);
    const ids = ['batch-1/0', 'batch-1/1', 'own-1'].map((key) => messageIdFor('shop', key));
    const results = (replayed: boolean) => ids.map((id, index) => ({ index, id, status: 'accepted', replayed }));
    expect(first.batch).toEqual({ results: results(false), accepted: 3, rejected: 0 });
    expect((await post(messages, headers)).batch).toEqual({ results: results(true), accepted: 3, rejected: 0 });
    expect((await ingress.enqueued()).messages).toHaveLength(6);

    for (const other of [messages.slice(0, 2), messages.toReversed(), [...messages.slice(0, 2), { ...messages[2], campaign: 'x' }]]) {
      expect(await post(other, headers)).toMatchObject({ status: 422, json: { error: { code: 'IDEMPOTENCY_KEY_REUSED' } } });
    }
    expect((await ingress.enqueued()).messages).toEqual([]);
    const single = await ingress.post(message(), headers);
    expect([single.status, single.headers.get('idempotency-replayed')]).toEqual([202, null]);
    await ingress.enqueued();
  });

  it('recognises items by their own keys, within a batch, over batches and beside single messages', async () => {
    const asked = message();
    const single = await ingress.post(asked, { 'idempotency-key': 'own-2' });
    const { batch } = await post([
      { ...asked, idempotencyKey: 'own-2' },
      { ...asked, idempotencyKey: 'own-3' },
      { ...asked, idempotencyKey: 'own-3' },
      { ...message(), idempotencyKey: 'own-3' },
    ]);
    expect(batch.results).toMatchObject([
      { id: single.json.id, replayed: true },
      { id: messageIdFor('shop', 'own-3'), replayed: false },
      { id: messageIdFor('shop', 'own-3'), replayed: true },
      { error: { code: 'IDEMPOTENCY_KEY_REUSED' } },
    ]);
    await ingress.enqueued();
  });

  it('takes 1,000 messages in nearly 4 MiB', async () => {
    const metadata = { note: 'x'.repeat(2_000) };
    const messages = Array.from({ length: 1_000 }, () => message({ body: 'y'.repeat(1_600), metadata, contentSid: undefined }));
    messages.forEach((one) => Object.assign(one, { campaign: 'z'.repeat(128) }));
    const bytes = Buffer.byteLength(JSON.stringify({ messages }));
    expect(bytes).toBeGreaterThan(3.5 * 1024 * 1024);
    const { batch } = await post(messages, { 'idempotency-key': 'large' });
    expect([batch.accepted, batch.rejected]).toEqual([1_000, 0]);
    expect(new Set((await ingress.enqueued()).messages.map(({ id }) => id)).size).toBe(1_000);
  });

  it.each([
    ['lists', '[', ']'],
    ['objects', '{"a":', '}'],
  ])(
    'refuses an item of %s that is nested deeper than the call stack, and takes the others, with a key or without',
    async (what, open, close) => {
      const depth = 100_000;
      const body = `{"messages":[${JSON.stringify(message())},${open.repeat(depth)}${open === '[' ? '' : '1'}${close.repeat(depth)}]}`;
      for (const headers of [{}, { 'idempotency-key': `deep-${what}` }, { 'idempotency-key': `deep-${what}` }]) {
        const { status, json } = await ingress.post(body, headers, '/v1/messages/batch');
        expect({ status, json }).toMatchObject({
          status: 202,
          json: { results: [{ status: 'accepted' }, { error: { code: 'VALIDATION_FAILED' } }], accepted: 1, rejected: 1 },
        });
      }
      await ingress.enqueued();
    },
  );

  it.each([
    ['no JSON', '{', {}, 400, 'INVALID_JSON'],
    ['a list', '[]', {}, 400, 'VALIDATION_FAILED'],
    ['no list in it', '{"messages":{}}', {}, 400, 'VALIDATION_FAILED'],
    ['nothing in it', '{"messages":[]}', {}, 400, 'VALIDATION_FAILED'],
    ['1,001 messages', JSON.stringify({ messages: Array(1_001).fill(0) }), {}, 400, 'VALIDATION_FAILED'],
    ['an unknown property', '{"messages":[{}],"from":"support"}', {}, 400, 'VALIDATION_FAILED'],
    [
      'a key that names one message',
      '{"messages":[{}]}',
      { 'idempotency-key': 'id:01926f3e-7a11-7c3d-9d0a-5b8f2f0a6c11' },
      400,
      'VALIDATION_FAILED',
    ],
    ['no API key', '{"messages":[{}]}', { authorization: '' }, 401, 'UNAUTHENTICATED'],
    ['more than 4 MiB', JSON.stringify({ messages: [{ body: 'x'.repeat(4 * 1024 * 1024) }] }), {}, 413, 'PAYLOAD_TOO_LARGE'],
  ])('refuses as a whole %s', async (_label, body, headers, status, code) => {
    const answer = await ingress.post(body, headers, '/v1/messages/batch');
    expect(answer).toMatchObject({ status, json: { error: { code, message: expect.any(String), requestId: expect.any(String) } } });
    expect((await ingress.enqueued()).messages).toEqual([]);
  });

  it('refuses the seventeenth batch of one moment, before it reads it, and still takes single messages', async () => {
    const headers = { authorization: `Bearer ${ingress.keys.shop}`, 'content-type': 'application/json', 'content-length': '1000' };
    const held = Array.from({ length: 16 }, () => {
      const one = request(`${ingress.url}/v1/messages/batch`, { method: 'POST', headers });
      one.on('error', () => undefined).write('{');
      return one;
    });
    const refused = await waitFor(async () => {
      const answer = await post([message()]);
      return answer.status === 503 && answer;
    });
    expect(refused.json.error).toMatchObject({ code: 'OVERLOADED', message: expect.stringContaining('Retry-After') });
    expect(refused.headers.get('retry-after')).toBe('1');
    expect((await ingress.post(message())).status).toBe(202);
    for (const one of held) one.destroy();
    await waitFor(async () => (await post([message()])).status === 202);
    await ingress.enqueued();
  });
});
