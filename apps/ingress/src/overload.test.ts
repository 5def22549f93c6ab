import { openTcpGate, randomPhone, testRedis, waitFor, type TcpGate } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createIngressHarness, randomSid, statusCallback, statusPath, type IngressHarness } from './fixtures/ingress-harness.ts';

let gate: TcpGate;
let ingress: IngressHarness;
beforeAll(async () => {
  gate = await openTcpGate(testRedis().redisUrl);
  ingress = await createIngressHarness({ redisUrl: gate.url, settings: { inFlightMax: 4 } });
  await waitFor(async () => (await fetch(`${ingress.url}/health/ready`)).status === 200, { message: 'the ingress to be ready' });
}, 60_000);
afterAll(async () => {
  await gate.open();
  await ingress.close();
  await gate.close();
});

const times = <T>(count: number, ask: () => Promise<T>) => Promise.all(Array.from({ length: count }, ask));
const message = () => ({ to: randomPhone(), body: 'x' });
const inbound = () => ({ MessageSid: randomSid('SM'), From: 'whatsapp:US.a', To: 'whatsapp:US.b', AccountSid: ingress.accountSid });

it('while more producers come than can be answered, they are refused and webhooks are taken', async () => {
  // What is under way waits for Redis.
  gate.stall();
  const [messages, batches, callbacks, replies, health] = await Promise.all([
    times(20, () => ingress.post(message())),
    times(5, () => ingress.post({ messages: [message()] }, {}, '/v1/messages/batch')),
    times(2, () => ingress.webhook(statusPath(), statusCallback(ingress))),
    times(2, () => ingress.webhook('/webhooks/twilio/inbound', inbound())),
    times(5, () => fetch(`${ingress.url}/health/live`)),
  ]);
  const refused = [...messages, ...batches].filter(({ json }) => json.error.code === 'OVERLOADED');
  expect(refused.length).toBeGreaterThanOrEqual(10);
  expect(refused[0]?.status).toBe(503);
  expect(Number(refused[0]?.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect([...callbacks, ...replies, ...health].map(({ status }) => status)).toEqual([204, 204, 200, 200, ...Array<number>(5).fill(200)]);
  const { values } = await ingress.metrics.requestsShed.get();
  const shed = Object.fromEntries(
    values.filter(({ labels }) => labels.reason === 'in_flight').map(({ labels, value }) => [labels.shed, value]),
  );
  expect(shed).toMatchObject({ last: 0 });
  expect(Number(shed['bulk']) + Number(shed['first'])).toBe(refused.length);
  await gate.open();
  await waitFor(async () => (await ingress.post(message())).status === 202);
  await ingress.untilSpoolIsEmpty();
  // What was given to a silent Redis may be there as well as on disk.
  expect(new Set((await ingress.enqueued()).events.map(({ messageSid }) => messageSid)).size).toBe(2);
});
