import http from 'node:http';
import { randomBody, randomPhone } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SENDER, SERVICE, startSimulator, type MessageJson, type SimulatorHarness } from '../fixtures/simulator-harness.ts';

let simulator: SimulatorHarness;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.close());

const json = async (answer: Promise<Response>) => (await (await answer).json()) as MessageJson & { code?: number };
const OTHER_ACCOUNT = `AC${'0'.repeat(32)}`;

describe('every answer', () => {
  test('has Twilio’s headers', async () => {
    const answer = await simulator.create();
    expect(answer.headers.get('content-type')).toMatch(/^application\/json\b/);
    expect(answer.headers.get('twilio-request-id')).toMatch(/^RQ[0-9a-f]{32}$/);
    expect(answer.headers.get('twilio-concurrent-requests')).toBe('1');
    expect(answer.headers.get('twilio-request-duration')).toMatch(/^\d+\.\d{3}$/);
  });

  test.each([
    ['POST', '/Messages.json'],
    ['GET', '/Messages.json'],
    ['GET', '/Messages/SM1.json'],
    ['POST', '/Messages/SM1.json'],
    ['DELETE', '/Messages/SM1.json'],
  ])('%s %s needs credentials and the right account', async (method, path) => {
    const unknown = await simulator.api(method, path, { headers: { authorization: 'Basic eDp5' } });
    expect(unknown.status).toBe(401);
    expect(unknown.headers.get('www-authenticate')).toBe('Basic realm="Twilio API"');
    expect(await unknown.json()).toMatchObject({ code: 20003, status: 401 });
    const foreign = await simulator.api(method, path, { account: OTHER_ACCOUNT });
    expect([foreign.status, await foreign.json()]).toMatchObject([404, { code: 20404 }]);
  });

  test.each([
    ['GET', '/Calls.json'],
    ['PUT', '/Messages.json'],
    ['POST', '/Messages/SM1/Media.json'],
  ])('%s %s, which is not simulated, is 404 with 20404', async (method, path) => {
    const answer = await simulator.api(method, path);
    expect([answer.status, await answer.json()]).toMatchObject([404, { code: 20404 }]);
  });

  test('a body beyond all reason is refused in Twilio’s form', async () => {
    const answer = await simulator.api('POST', '/Messages.json', { form: new URLSearchParams({ Body: 'x'.repeat(300_000) }) });
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: 20001 }]);
  });
});

describe('a refused create', () => {
  test('is written down, too', async () => {
    await simulator.control('DELETE', '/ledger');
    await simulator.api('POST', '/Messages.json', { form: new URLSearchParams({ To: 'x' }), headers: { authorization: 'Basic eDp5' } });
    expect((await simulator.ledger()).creates).toMatchObject([{ sid: null, to: 'x', outcome: 'refused', httpStatus: 401 }]);
  });

  test('beyond the account’s concurrency is 429 with 20429, and the others succeed', async () => {
    await simulator.control('PUT', '/settings', { concurrencyMax: 3, latencyMs: 300 });
    const statuses = await Promise.all(Array.from({ length: 5 }, async () => (await simulator.create()).status));
    expect(statuses.toSorted((a, b) => a - b)).toEqual([201, 201, 201, 429, 429]);
    await simulator.control('PUT', '/settings', {});
  });
});

describe('a message', () => {
  test('is fetched, listed by its recipient, redacted and deleted', async () => {
    const to = randomPhone();
    const body = randomBody();
    await simulator.control('POST', '/inbound', { from: to, to: SENDER, body: 'hello' });
    const { sid } = await json(simulator.create({ To: to, ContentSid: null, Body: body }));
    expect(await simulator.waitForStatus(sid, 'read')).toMatchObject({ body, to: `whatsapp:${to}` });
    const list = (await (await simulator.api('GET', `/Messages.json?To=${encodeURIComponent(`whatsapp:${to}`)}`)).json()) as {
      messages: MessageJson[];
    };
    expect(list.messages.map((message) => message.sid)).toEqual([sid]);
    expect(await json(simulator.api('POST', `/Messages/${sid}.json`, { form: new URLSearchParams({ Body: '' }) }))).toMatchObject({
      body: '',
    });
    const deleted = await simulator.api('DELETE', `/Messages/${sid}.json`);
    expect([deleted.status, await deleted.text()]).toEqual([204, '']);
    expect(await json(simulator.api('GET', `/Messages/${sid}.json`))).toMatchObject({ code: 20404 });
  });

  test('that is scheduled waits, and is canceled with a callback', async () => {
    const sendAt = new Date(Date.now() + 3_600_000).toISOString();
    const fields = {
      From: null,
      MessagingServiceSid: SERVICE,
      ScheduleType: 'fixed',
      SendAt: sendAt,
      StatusCallback: simulator.statusCallback(),
    };
    const created = await json(simulator.create(fields));
    expect(created.status).toBe('scheduled');
    const cancel = () =>
      json(simulator.api('POST', `/Messages/${created.sid}.json`, { form: new URLSearchParams({ Status: 'canceled' }) }));
    expect(await cancel()).toMatchObject({ status: 'canceled', sid: created.sid });
    const [webhook] = await simulator.waitForWebhooks(created.sid, 1);
    expect(webhook?.params['MessageStatus']).toBe('canceled');
    expect(await cancel()).toMatchObject({ code: 30409 });
  });
});

test('a silent answer ends when the simulator closes', async () => {
  const own = await startSimulator({ settings: { faults: [{ kind: 'stall-after-create', every: 1 }] } });
  const basic = Buffer.from(`${own.apiKeySid}:${own.apiKeySecret}`).toString('base64');
  const ended = new Promise<string>((resolve) => {
    const request = http.request(`${own.url}/2010-04-01/Accounts/${own.accountSid}/Messages.json`, {
      method: 'POST',
      agent: false,
      headers: { authorization: `Basic ${basic}`, 'content-type': 'application/x-www-form-urlencoded' },
    });
    request.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''));
    request.end(new URLSearchParams({ To: `whatsapp:${randomPhone()}`, From: SENDER, ContentSid: `HX${'1'.repeat(32)}` }).toString());
  });
  await expect.poll(async () => (await own.ledger()).creates.length).toBe(1);
  const closingAt = performance.now();
  await own.close();
  expect(await ended).toBe('ECONNRESET');
  // The server's own end of patience comes after 5 s.
  expect(performance.now() - closingAt).toBeLessThan(4000);
});
