import { createMetrics } from '@tickmark/runtime';
import { captureLogger, randomPhone, startOwnRedis, waitFor, type OwnRedis } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createIngressHarness, statusCallback, statusPath, type IngressHarness } from './fixtures/ingress-harness.ts';
import { readQueues } from './fixtures/read-queues.ts';

let redis: OwnRedis;
let ingress: IngressHarness;
beforeAll(async () => {
  redis = await startOwnRedis();
  ingress = await createIngressHarness({ redisUrl: redis.redisUrl });
  await waitFor(async () => (await fetch(`${ingress.url}/health/ready`)).status === 200, { message: 'the ingress to be ready' });
}, 60_000);
afterAll(async () => {
  await redis.limitMemory(null);
  await ingress.close();
  await redis.stop();
});

const post = () => ingress.post({ to: randomPhone(), body: 'x' });
const postUntil = (status: number) =>
  waitFor(async () => {
    const answer = await post();
    return answer.status === status && answer;
  });
const callback = async () => (await ingress.webhook(statusPath(), statusCallback(ingress))).status;
const countOf = async (name: string) =>
  Number(new RegExp(`^tickmark_${name} (\\d+)$`, 'm').exec(await ingress.metrics.registry.metrics())?.[1]);

it('a Redis that is nearly full refuses producers and takes callbacks; when it is full they wait on disk', async () => {
  await postUntil(202);
  await redis.limitMemory(0.95);
  const refused = await postUntil(503);
  expect(refused.json.error).toMatchObject({ code: 'QUEUE_UNAVAILABLE', message: expect.stringMatching(/nearly full.*again later/) });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  const batch = await ingress.post({ messages: [{ to: randomPhone(), body: 'x' }] }, { 'idempotency-key': 'k' }, '/v1/messages/batch');
  expect(batch).toMatchObject({ status: 503, json: { error: { message: refused.json.error.message } } });
  expect(await countOf('requests_shed_total{shed="first",reason="redis_memory"}')).toBeGreaterThanOrEqual(2);
  expect([await callback(), await countOf('callbacks_received_total{result="queued"}')]).toEqual([204, 1]);

  await redis.limitMemory(1.5);
  expect([await callback(), await countOf('callbacks_received_total{result="spooled"}')]).toEqual([204, 1]);
  expect((await post()).json.error.code).toBe('QUEUE_UNAVAILABLE');

  await redis.limitMemory(null);
  await postUntil(202);
  await waitFor(async () => (await countOf('spooled_events')) === 0);
  const queues = { redisUrl: redis.redisUrl, base: ingress.redis.base };
  const { events } = await readQueues({ ...queues, log: captureLogger().log, metrics: createMetrics({ process: 'ingress' }) });
  expect(events).toHaveLength(2);
}, 60_000);
