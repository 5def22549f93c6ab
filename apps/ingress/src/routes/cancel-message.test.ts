import { randomUUID } from 'node:crypto';
import type { CancelResult } from '@tickmark/domain';
import { cancelPayloadSchema, createProducers, createQueueWorker, done, QUEUES, type Producers, type QueueWorker } from '@tickmark/queues';
import { openTcpGate, testRedis } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIngressHarness, type IngressHarness } from '../fixtures/ingress-harness.ts';

const remove = async (ingress: IngressHarness, id: string, key = ingress.keys.shop) => {
  const response = await fetch(`${ingress.url}/v1/messages/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${key}` } });
  return { status: response.status, retryAfter: response.headers.get('retry-after'), json: await response.json() };
};

describe('DELETE /v1/messages/:id', () => {
  const results = new Map<string, CancelResult>();
  const producersOfRequests: string[] = [];
  let ingress: IngressHarness;
  let producers: Producers;
  let worker: QueueWorker;
  beforeAll(async () => {
    ingress = await createIngressHarness();
    const { redis, log, metrics } = ingress;
    producers = createProducers({ ...redis, log: log.log, deadlineMs: 20_000 });
    // In the worker's place: it answers each id as told.
    worker = createQueueWorker({
      ...redis,
      log: log.log,
      metrics,
      concurrency: 5,
      queue: QUEUES.cancel,
      schema: cancelPayloadSchema,
      processor: async ({ id, producer, replyTo }) => {
        producersOfRequests.push(producer);
        await producers.answerCancel(replyTo, results.get(id) ?? 'not_found');
        return done();
      },
    });
  });
  afterAll(async () => {
    await Promise.all([worker.close(2_000), producers.close()]);
    await ingress.close();
  });

  it('answers 200 for a message that will not be sent, whichever way its id is written', async () => {
    const id = randomUUID();
    results.set(id, 'canceled');
    for (const written of [id, id.toUpperCase()]) {
      expect(await remove(ingress, written)).toMatchObject({ status: 200, json: { id, status: 'canceled' } });
    }
  });

  it.each([
    ['already_sent', 409, 'MESSAGE_ALREADY_SENT', /cannot be called back/],
    ['final', 409, 'MESSAGE_FINAL', /nothing to cancel/],
    ['not_found', 404, 'MESSAGE_NOT_FOUND', /Check it/],
  ] as const)('answers the result %s with %i %s', async (result, status, code, says) => {
    const id = randomUUID();
    results.set(id, result);
    const message = expect.stringMatching(says) as string;
    expect(await remove(ingress, id)).toMatchObject({ status, json: { error: { code, message, requestId: expect.any(String) } } });
  });

  it.each(['x', '17', `${randomUUID()}0`, 'SM0123456789abcdef0123456789abcdef'])(
    'answers 404 for %s, which is no id of ours',
    async (id) => {
      expect(await remove(ingress, id)).toMatchObject({ status: 404, json: { error: { code: 'MESSAGE_NOT_FOUND' } } });
    },
  );

  it('asks in the name of the key, and only for a key with the scope send', async () => {
    producersOfRequests.length = 0;
    await remove(ingress, randomUUID(), ingress.keys.mail);
    expect(producersOfRequests).toEqual(['mail']);
    expect(await remove(ingress, randomUUID(), ingress.keys.desk)).toMatchObject({
      status: 403,
      json: { error: { code: 'FORBIDDEN_SCOPE' } },
    });
    expect(await remove(ingress, randomUUID(), 'x'.repeat(40))).toMatchObject({ status: 401 });
    expect(producersOfRequests).toEqual(['mail']);
  });
});

it('DELETE answers 202 when no worker answers in time', async () => {
  const deadlines = { redisMs: 20_000, markerMs: 20_000, commitMs: 20_000, cancelMs: 100 };
  const ingress = await createIngressHarness({ settings: { deadlines } });
  const id = randomUUID();
  expect(await remove(ingress, id)).toMatchObject({ status: 202, json: { id, status: 'cancel_requested' } });
  await ingress.close();
});

it('DELETE answers 503 when the request may not have been added', async () => {
  const gate = await openTcpGate(testRedis().redisUrl);
  const ingress = await createIngressHarness({ redisUrl: gate.url });
  gate.stall();
  const startedMs = performance.now();
  const answer = await remove(ingress, randomUUID());
  expect(performance.now() - startedMs).toBeLessThan(2_500);
  expect(answer).toMatchObject({
    status: 503,
    json: { error: { code: 'QUEUE_UNAVAILABLE', message: expect.stringContaining('again') as string } },
  });
  expect(Number(answer.retryAfter)).toBeGreaterThanOrEqual(1);
  await gate.open();
  await ingress.close();
  await gate.close();
});
