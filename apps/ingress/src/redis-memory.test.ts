import { createMetrics } from '@tickmark/runtime';
import { captureLogger, randomPhone, startOwnRedis, waitFor, type OwnRedis } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createIngressHarness, statusCallback, statusPath, type Answer, type IngressHarness } from './fixtures/ingress-harness.ts';
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
/** A busy machine may make one or the other answer late: what counts is what becomes the rule. */
const postUntil = (isExpected: (answer: Answer) => boolean) =>
  waitFor(async () => {
    const answer = await post();
    return isExpected(answer) && answer;
  });
const isAccepted = ({ status }: Answer) => status === 202;
const isFull = ({ status, json }: Answer) => status === 503 && json.error.message.includes('nearly full');
let callbacks = 0;
const callbackUntil = (result: 'queued' | 'spooled') =>
  waitFor(async () => {
    const before = await countOf(`callbacks_received_total{result="${result}"}`);
    expect((await ingress.webhook(statusPath(), statusCallback(ingress))).status).toBe(204);
    callbacks += 1;
    return (await countOf(`callbacks_received_total{result="${result}"}`)) > before;
  });
const countOf = async (name: string) =>
  Number(new RegExp(`^tickmark_${name} (\\d+)$`, 'm').exec(await ingress.metrics.registry.metrics())?.[1]);

it('a Redis that is nearly full refuses producers and takes callbacks; when it is full they wait on disk', async () => {
  await postUntil(isAccepted);
  await redis.limitMemory(0.95);
  const refused = await postUntil(isFull);
  expect(refused.json.error).toMatchObject({ code: 'QUEUE_UNAVAILABLE', message: expect.stringContaining('again later') });
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  const batch = await ingress.post({ messages: [{ to: randomPhone(), body: 'x' }] }, { 'idempotency-key': 'k' }, '/v1/messages/batch');
  expect(batch).toMatchObject({ status: 503, json: { error: { code: 'QUEUE_UNAVAILABLE' } } });
  expect(await countOf('requests_shed_total{shed="first",reason="redis_memory"}')).toBeGreaterThanOrEqual(1);
  await callbackUntil('queued');

  await redis.limitMemory(1.5);
  await callbackUntil('spooled');
  expect((await post()).json.error.code).toBe('QUEUE_UNAVAILABLE');

  await redis.limitMemory(null);
  await postUntil(isAccepted);
  await waitFor(async () => (await countOf('spooled_events')) === 0);
  const queues = { redisUrl: redis.redisUrl, base: ingress.redis.base };
  const { events } = await readQueues({ ...queues, log: captureLogger().log, metrics: createMetrics({ process: 'ingress' }) });
  expect(new Set(events.map(({ messageSid }) => messageSid)).size).toBe(callbacks);
}, 60_000);
