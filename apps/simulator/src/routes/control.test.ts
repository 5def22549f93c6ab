import { randomUUID } from 'node:crypto';
import { createMetrics, systemClock } from '@tickmark/runtime';
import { captureLogger, randomBody, randomPhone, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSimulatorServer } from '../create-simulator-server.ts';
import { SENDER, startSimulator, type LedgerJson, type MessageJson, type SimulatorHarness } from '../fixtures/simulator-harness.ts';
import { parseSettings } from '../settings.ts';
import { createSimulator } from '../simulator.ts';

let simulator: SimulatorHarness;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.close());

describe('/_sim/ledger', () => {
  test('has exactly the members that were agreed', async () => {
    const m = randomUUID();
    const { sid } = (await (await simulator.create({ StatusCallback: simulator.statusCallback({ m }) })).json()) as MessageJson;
    await waitFor(async () => (await simulator.ledger(`?m=${m}`)).callbacks.length === 3);
    const answer = await simulator.control('GET', `/ledger?m=${m}`);
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(answer.headers.get('x-ledger-dropped-rows')).toBe('0');
    const { creates, callbacks, ...rest } = (await answer.json()) as LedgerJson;
    expect(rest).toEqual({});
    expect(Object.keys(creates[0] ?? {}).toSorted()).toEqual(['a', 'at', 'form', 'from', 'httpStatus', 'm', 'outcome', 'sid', 'to']);
    expect(Object.keys(callbacks[0] ?? {}).toSorted()).toEqual(['at', 'httpStatus', 'sid', 'status', 'tries']);
    expect(callbacks).toContainEqual({ sid, status: 'read', at: expect.stringMatching(/^\d{4}-.*Z$/), httpStatus: 204, tries: 1 });
  });

  test('is filtered by recipient, however the plus sign is written, and by time', async () => {
    const to = randomPhone();
    await simulator.create({ To: to });
    const count = async (query: string) => (await simulator.ledger(query)).creates.length;
    for (const text of [to, encodeURIComponent(to), `whatsapp:${to}`, encodeURIComponent(`whatsapp:${to}`)])
      expect(await count(`?to=${text}`)).toBe(1);
    expect(await count(`?since=${new Date(Date.now() + 60_000).toISOString()}`)).toBe(0);
    expect((await simulator.control('GET', '/ledger?since=lately')).status).toBe(400);
  });

  test('is emptied by DELETE', async () => {
    await simulator.create();
    expect((await simulator.control('DELETE', '/ledger')).status).toBe(204);
    expect((await simulator.ledger()).creates).toEqual([]);
  });

  test('larger than one piece comes as one JSON', async () => {
    await simulator.control('DELETE', '/ledger');
    const statusCallback = `${simulator.statusCallback()}#${'x'.repeat(8_000)}`;
    for (let index = 0; index < 20; index++) await simulator.create({ StatusCallback: statusCallback });
    expect((await simulator.ledger()).creates).toHaveLength(20);
  });
});

describe('/_sim/settings', () => {
  test('what is put replaces everything, what is left out has its default', async () => {
    const put = await simulator.control('PUT', '/settings', { seed: 9, latencyMs: 5, callbacks: { drop: 0.5 } });
    expect(await put.json()).toMatchObject({ seed: 9, latencyMs: 5, callbacks: { drop: 0.5, duplicate: 0 } });
    await simulator.control('PUT', '/settings', { seed: 10 });
    expect(await (await simulator.control('GET', '/settings')).json()).toMatchObject({ seed: 10, latencyMs: 0, callbacks: { drop: 0 } });
  });

  test('with new settings every count begins again', async () => {
    const everySecond = () => simulator.control('PUT', '/settings', { faults: [{ kind: 'throttle', every: 2 }] });
    const statuses: number[] = [];
    for (const put of [true, true, false]) {
      if (put) await everySecond();
      statuses.push((await simulator.create()).status);
    }
    await simulator.control('PUT', '/settings', {});
    expect(statuses).toEqual([201, 201, 429]);
  });

  test('a mistake is refused with its path, and nothing changes', async () => {
    await simulator.control('PUT', '/settings', { seed: 11 });
    const answer = await simulator.control('PUT', '/settings', { seed: 12, faults: [{ kind: 'explode', every: 1 }] });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: 'VALIDATION_FAILED', details: [{ path: 'faults.0.kind' }] } });
    expect(await (await simulator.control('GET', '/settings')).json()).toMatchObject({ seed: 11 });
  });
});

describe('/_sim/inbound', () => {
  test('sends the signed webhook as often as asked and answers with its sid', async () => {
    const body = randomBody();
    const answer = await simulator.control('POST', '/inbound', { from: randomPhone(), to: SENDER, body, times: 2 });
    const { messageSid } = (await answer.json()) as { messageSid: string };
    const webhooks = await simulator.waitForWebhooks(messageSid, 2);
    for (const webhook of webhooks)
      expect(webhook).toMatchObject({ path: '/webhooks/twilio/inbound', signed: true, params: { Body: body } });
  });

  test('a mistake is refused', async () => {
    expect((await simulator.control('POST', '/inbound', { from: 'nobody', to: SENDER })).status).toBe(400);
  });
});

test('callers from other machines are refused, on Twilio’s paths they are served', async () => {
  const { log } = captureLogger({ process: 'simulator' });
  const credentials = { accountSid: 'AC1', apiKeySid: 'SK1', apiKeySecret: () => 'x', authToken: () => 'y' };
  const own = createSimulator({
    credentials,
    senders: [],
    publicBaseUrl: 'http://127.0.0.1',
    settings: parseSettings('{}'),
    clock: systemClock,
    log,
  });
  const server = await createSimulatorServer(own, { log, metrics: createMetrics({ process: 'simulator' }) });
  const reach = (url: string) => server.inject({ method: 'GET', url, remoteAddress: '10.1.2.3' });
  expect((await reach('/_sim/ledger')).statusCode).toBe(403);
  expect((await reach('/_sim/settings')).json()).toMatchObject({ error: { code: 'FORBIDDEN_SCOPE' } });
  expect((await reach('/2010-04-01/Accounts/AC1/Messages.json')).statusCode).toBe(401);
  await server.close();
});
