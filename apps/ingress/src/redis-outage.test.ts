import { open, readdir } from 'node:fs/promises';
import { messageIdFor } from '@tickmark/domain';
import { createProducers, DEADLINES } from '@tickmark/queues';
import { captureLogger, openTcpGate, randomPhone, testFolder, testRedis, waitFor, type TcpGate } from '@tickmark/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createIngressHarness,
  randomSid,
  statusCallback,
  statusPath,
  type Answer,
  type IngressHarness,
} from './fixtures/ingress-harness.ts';

describe('without Redis', () => {
  let gate: TcpGate;
  let ingress: IngressHarness;
  beforeEach(async () => {
    gate = await openTcpGate(testRedis().redisUrl);
    ingress = await createIngressHarness({ redisUrl: gate.url });
    await waitFor(() => ready(), { message: 'the ingress to be ready' });
  });
  afterEach(async () => {
    await gate.open();
    await ingress.close();
    await gate.close();
  });

  const ready = async () => (await fetch(`${ingress.url}/health/ready`)).status === 200;
  const post = (headers = {}) => ingress.post({ to: randomPhone(), body: 'x' }, headers);
  const callback = () => ingress.webhook(statusPath(), statusCallback(ingress));
  const inbound = () =>
    ingress.webhook('/webhooks/twilio/inbound', {
      MessageSid: randomSid('SM'),
      From: 'whatsapp:US.a',
      To: 'whatsapp:US.b',
      AccountSid: ingress.accountSid,
    });

  const timed = async (answer: Promise<Answer>) => {
    const startMs = performance.now();
    return { ...(await answer), durationMs: performance.now() - startMs };
  };

  it('tells producers in time that nothing was accepted, keeps webhooks on disk, and works again when Redis is back', async () => {
    await gate.close();
    await waitFor(async () => (await post()).status === 503);
    const items = { messages: [{ to: randomPhone(), body: 'x' }, { to: '12' }, { to: randomPhone(), body: 'x', idempotencyKey: 'k' }] };
    const batch = (headers = {}) => ingress.post(items, headers, '/v1/messages/batch');
    const asks = [() => post(), () => post({ 'idempotency-key': 'k' }), () => batch(), () => batch({ 'idempotency-key': 'k' })];
    for (const ask of asks) {
      const answer = await timed(ask());
      expect(answer).toMatchObject({
        status: 503,
        json: { error: { code: 'QUEUE_UNAVAILABLE', message: expect.stringContaining('again') } },
      });
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
      expect(answer.durationMs).toBeLessThan(2_500);
    }
    for (const [ask, status] of [
      [callback, 204],
      [inbound, 200],
    ] as const) {
      const answer = await timed(ask());
      expect(answer.status).toBe(status);
      expect(answer.durationMs).toBeLessThan(2_500);
    }
    const readiness = await fetch(`${ingress.url}/health/ready`);
    expect(readiness.status).toBe(200);
    expect(await readiness.json()).toEqual({ ready: true, reasons: [expect.stringMatching(/redis.*disk/i)] });
    expect(await ingress.metrics.registry.metrics()).toContain('tickmark_spooled_events 2');
    expect((await fetch(`${ingress.url}/health/live`)).status).toBe(200);

    await gate.open();
    await waitFor(async () => (await post()).status === 202, { message: 'the ingress to accept again' });
    await waitFor(() => ready());
    await ingress.untilSpoolIsEmpty();
    const { messages, events, inbound: received } = await ingress.enqueued();
    expect(messages.length).toBeGreaterThan(0);
    expect([events.length, received.length]).toEqual([1, 1]);
  });

  it('says of a queue that does not answer that acceptance is unknown, and a repeat by that id is the same message', async () => {
    gate.stall();
    const lost = await timed(post());
    expect(lost.durationMs).toBeLessThan(2_500);
    expect(lost).toMatchObject({ status: 503, json: { error: { code: 'ACCEPTANCE_UNKNOWN', details: { id: expect.any(String) } } } });
    expect(Number(lost.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    const { id } = lost.json.error.details as { id: string };
    expect(lost.json.error.message).toContain(`id:${id}`);

    await gate.open();
    const repeat = await waitFor(async () => {
      const answer = await post({ 'idempotency-key': `id:${id}` });
      return answer.status === 202 && answer;
    });
    expect(repeat.json.id).toBe(id);
    const { messages } = await ingress.enqueued();
    expect(new Set(messages.map((message) => message.id))).toEqual(new Set([id]));
  });

  it('says of each item of a batch what a silent queue leaves open, and a repeat by those ids sends none twice', async () => {
    const messages = Array.from({ length: 5 }, () => ({ to: randomPhone(), body: 'x' }));
    const batch = (asked: object[]) => ingress.post({ messages: asked }, {}, '/v1/messages/batch');
    gate.stall();
    const lost = await timed(batch(messages));
    expect(lost.durationMs).toBeLessThan(2_500);
    expect(lost.status).toBe(202);
    const { results } = lost.json as unknown as { results: { index: number; error: { code: string; details: { id: string } } }[] };
    expect(results.map(({ index, error }) => [index, error.code])).toEqual(messages.map((_one, index) => [index, 'ACCEPTANCE_UNKNOWN']));

    await gate.open();
    const ids = results.map(({ error }) => error.details.id);
    const again = messages.map((one, index) => ({ ...one, idempotencyKey: `id:${ids[index]}` }));
    const repeat = await waitFor(async () => {
      const answer = await batch(again);
      return answer.status === 202 && answer;
    });
    expect(repeat.json).toMatchObject({ results: ids.map((id, index) => ({ index, id })), accepted: 5 });
    const enqueued = (await ingress.enqueued()).messages;
    expect(new Set(enqueued.map(({ id }) => id))).toEqual(new Set(ids));
  });

  it('keeps on disk what a silent queue may have lost, and asks it no more until it answers', async () => {
    gate.stall();
    const first = await timed(callback());
    expect(first.status).toBe(204);
    expect(first.durationMs).toBeLessThan(2_500);
    const [jobs] = [await Promise.all(Array.from({ length: 20 }, () => timed(callback())))];
    expect(new Set(jobs.map(({ status }) => status))).toEqual(new Set([204]));
    // Sooner than any of them could have given Redis up.
    expect(Math.min(...jobs.map(({ durationMs }) => durationMs))).toBeLessThan(DEADLINES.commitMs);
    await gate.open();
    await ingress.untilSpoolIsEmpty();
    expect(new Set((await ingress.enqueued()).events.map(({ messageSid }) => messageSid)).size).toBe(21);
  });

  it('confirms nothing that neither Redis nor the disk took', async () => {
    await gate.close();
    const full = await createIngressHarness({ redisUrl: gate.url, spool: { bytesMax: 100 } });
    try {
      const answer = await timed(full.webhook(statusPath(), statusCallback(full)));
      expect(answer).toMatchObject({
        status: 503,
        json: { error: { code: 'QUEUE_UNAVAILABLE', message: expect.stringContaining('again') } },
      });
      expect(answer.durationMs).toBeLessThan(2_500);
    } finally {
      await full.close();
    }
  });

  it('confirms webhooks again as soon as Redis is back, also while the disk hangs', async () => {
    const dir = testFolder('spool');
    let goOn = () => {};
    const goesOn = new Promise<void>((resolve) => (goOn = resolve));
    const openFile = async (path: string, flags: string) => Object.assign(await open(path, flags), { datasync: () => goesOn });
    const hanging = await createIngressHarness({ redisUrl: gate.url, spool: { dir, openFile } });
    const confirmed = async () => (await hanging.webhook(statusPath(), statusCallback(hanging))).status === 204;
    await waitFor(confirmed);
    for (let time = 0; time < 2; time++) {
      await gate.close();
      expect((await timed(hanging.webhook(statusPath(), statusCallback(hanging)))).status).toBe(503);
      await gate.open();
      await waitFor(confirmed, { timeoutMs: 20_000, message: 'Redis to be used again' });
    }
    goOn();
    await waitFor(async () => !(await readdir(dir, { recursive: true })).some((name) => name.endsWith('.seg')), { timeoutMs: 20_000 });
    await hanging.close();
  });

  it('says that nothing was accepted when the marker of a key does not come', async () => {
    gate.stall();
    const answer = await timed(post({ 'idempotency-key': 'k' }));
    expect(answer).toMatchObject({ status: 503, json: { error: { code: 'QUEUE_UNAVAILABLE' } } });
    expect(answer.durationMs).toBeLessThan(2_500);
    await gate.open();
    await waitFor(async () => (await post()).status === 202);
    const { messages } = await ingress.enqueued();
    expect(messages.map(({ id }) => id)).not.toContain(messageIdFor('shop', 'k'));
  });

  it('starts without Redis: webhooks wait on disk, and producers are served when it comes', async () => {
    const late = await openTcpGate(testRedis().redisUrl);
    await late.close();
    const waiting = await createIngressHarness({ redisUrl: late.url });
    try {
      expect((await fetch(`${waiting.url}/health/ready`)).status).toBe(200);
      expect((await waiting.webhook(statusPath(), statusCallback(waiting))).status).toBe(204);
      expect((await waiting.post({ to: randomPhone(), body: 'x' })).json.error.code).toBe('QUEUE_UNAVAILABLE');
      await late.open();
      await waitFor(async () => (await waiting.post({ to: randomPhone(), body: 'x' })).status === 202);
      await waiting.untilSpoolIsEmpty();
      const { messages, events } = await waiting.enqueued();
      expect(messages.length).toBeGreaterThan(0);
      expect(events).toHaveLength(1);
    } finally {
      await waiting.close();
      await late.close();
    }
  });
});

it('tells redis every few seconds what waits on disk, and at its end that nothing is left', async () => {
  const { redisUrl, base, dropAll } = testRedis();
  const producers = createProducers({ redisUrl, base, log: captureLogger().log });
  const told: unknown[] = [];
  const ingress = await createIngressHarness({
    deps: {
      producers: {
        ...producers,
        reportSpool: async (report) => void told.push(report),
        forgetSpool: async (instance) => void told.push(instance),
      },
    },
  });
  await waitFor(() => told.length > 0);
  await ingress.close();
  const { instance } = told[0] as { instance: string };
  expect([told[0], told.at(-1)]).toEqual([{ instance, waiting: 0, takenOver: [] }, instance]);
  await producers.close();
  await dropAll();
});
