import { randomUUID } from 'node:crypto';
import { randomBody, randomPhone, waitFor } from '@tickmark/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FAULT_KINDS, type FaultKind } from './settings.ts';
import { SENDER, SERVICE, startSimulator, type MessageJson, type SimulatorHarness } from './fixtures/simulator-harness.ts';

let simulator: SimulatorHarness;
beforeEach(async () => {
  simulator = await startSimulator();
});
afterEach(() => simulator.close());

/** What a client sees of one create: status and body, or that nothing came. */
const seen = async (answer: Promise<Response>) => {
  try {
    const { status, body } = await answer.then(async (response) => ({ status: response.status, body: await response.text() }));
    return `${status} ${body.startsWith('{') ? jsonKind(body) : 'text'}`;
  } catch {
    // A reset connection and a time-out of ours look the same to fetch.
    return 'no answer';
  }
};
const jsonKind = (body: string) => {
  try {
    const { code, sid } = JSON.parse(body) as { code?: number; sid?: string };
    return code === undefined ? `json${sid === undefined ? ' without sid' : ''}` : String(code);
  } catch {
    return 'broken json';
  }
};

describe('a fault', () => {
  const cases = {
    throttle: ['429 20429', 'refused', 429],
    'proxy-429': ['429 text', 'refused', 429],
    unauthorized: ['401 20003', 'refused', 401],
    'error-before-create': ['500 20500', 'refused', 500],
    'reset-before-create': ['no answer', 'refused', null],
    'stall-before-create': ['no answer', 'refused', null],
    'reset-after-create': ['no answer', 'created-answer-lost', null],
    'error-after-create': ['500 20500', 'created-answer-lost', 500],
    'unavailable-after-create': ['503 text', 'created-answer-lost', 503],
    'stall-after-create': ['no answer', 'created-answer-lost', null],
    'unparsable-201': ['201 broken json', 'created-answer-lost', 201],
    'sidless-201': ['201 json without sid', 'created-answer-lost', 201],
  } satisfies Record<FaultKind, [string, string, number | null]>;

  test.each(FAULT_KINDS.map((kind) => [kind, ...cases[kind]] as const))(
    '%s is seen as "%s" and written down as %s',
    async (kind, client, outcome, httpStatus) => {
      await simulator.control('PUT', '/settings', { faults: [{ kind, every: 1 }], statusDelayMs: { sent: 1, delivered: 1, read: 1 } });
      const m = randomUUID();
      const form = new URLSearchParams({
        To: `whatsapp:${randomPhone()}`,
        From: SENDER,
        ContentSid: `HX${'1'.repeat(32)}`,
        StatusCallback: simulator.statusCallback({ m }),
      });
      const basic = Buffer.from(`${simulator.apiKeySid}:${simulator.apiKeySecret}`).toString('base64');
      const call = fetch(`${simulator.url}/2010-04-01/Accounts/${simulator.accountSid}/Messages.json`, {
        method: 'POST',
        headers: { authorization: `Basic ${basic}` },
        body: form,
        signal: AbortSignal.timeout(kind.startsWith('stall') ? 200 : 5000),
      });
      expect(await seen(call)).toBe(client);
      const { creates } = await simulator.ledger(`?m=${m}`);
      expect(creates).toMatchObject([{ m, a: 1, outcome, httpStatus }]);
      const sid = creates[0]?.sid;
      const exists = outcome !== 'refused';
      expect(sid === null).toBe(!exists);
      if (exists) await simulator.waitForWebhooks(sid ?? '', 3);
      expect(simulator.receiver.received).toHaveLength(exists ? 3 : 0);
    },
  );

  test('meets exactly the same messages for one seed, however many calls come at once', async () => {
    const ids = Array.from({ length: 120 }, () => randomUUID());
    const victims = async (order: string[], atOnce: number) => {
      await simulator.control('PUT', '/settings', { seed: 5, faults: [{ kind: 'error-after-create', share: 0.2 }] });
      await simulator.control('DELETE', '/ledger');
      for (let index = 0; index < order.length; index += atOnce) {
        await Promise.all(
          order.slice(index, index + atOnce).map((m) => simulator.create({ StatusCallback: simulator.statusCallback({ m }) })),
        );
      }
      const { creates } = await simulator.ledger();
      expect(creates).toHaveLength(order.length);
      return new Set(creates.flatMap(({ m, outcome }) => (outcome === 'created-answer-lost' ? [m] : [])));
    };
    const first = await victims(ids, 1);
    expect(first.size).toBeGreaterThan(8);
    expect(await victims(ids.toReversed(), 40)).toEqual(first);
  });
});

describe('a magic recipient', () => {
  test('of 42902 refuses the first two tries of each message with 20429', async () => {
    const statusCallback = simulator.statusCallback();
    const tries = [1, 2, 3].map((a) => ({ To: '+15000042902', StatusCallback: statusCallback.replace('a=1', `a=${a}`) }));
    const statuses: number[] = [];
    for (const fields of tries) statuses.push((await simulator.create(fields)).status);
    expect(statuses).toEqual([429, 429, 201]);
  });

  test.each([
    ['20003', 401],
    ['21211', 400],
    ['21610', 400],
    ['63007', 400],
  ])('of %s is refused with HTTP %i', async (code, status) => {
    const answer = await simulator.create({ To: `+150077${code}` });
    expect(answer.status).toBe(status);
    expect(await answer.json()).toMatchObject({ code: Number(code), status });
  });

  test('of 00016 is told of before create is answered', async () => {
    const created = (await (
      await simulator.create({ To: '+15000000016', StatusCallback: simulator.statusCallback() })
    ).json()) as MessageJson;
    expect(created.status).toBe('queued');
    expect(simulator.webhooksOf(created.sid).map(({ params }) => params['MessageStatus'])).toContain('sent');
    await simulator.waitForWebhooks(created.sid, 3);
  });
});

describe('create', () => {
  test('a recipient who wrote STOP is refused with 21610 until START', async () => {
    const to = randomPhone();
    const write = (body: string) => simulator.control('POST', '/inbound', { from: to, to: SENDER, body });
    await write('STOP');
    expect(await (await simulator.create({ To: to })).json()).toMatchObject({ code: 21610 });
    await write('START');
    expect((await simulator.create({ To: to })).status).toBe(201);
  });

  test('a sender’s queue that is full refuses with 21611, a service’s fails with 30001', async () => {
    const settings = { mps: { [SENDER]: 0.001, [SERVICE]: 0.001 }, queueSecondsMax: 0, statusDelayMs: { queued: 1, sending: 1 } };
    await simulator.control('PUT', '/settings', settings);
    expect((await simulator.create()).status).toBe(201);
    expect(await (await simulator.create()).json()).toMatchObject({ code: 21611 });
    const service = { From: null, MessagingServiceSid: SERVICE };
    await simulator.create(service);
    const { sid } = (await (await simulator.create(service)).json()) as MessageJson;
    expect(await simulator.waitForStatus(sid, 'failed')).toMatchObject({ error_code: 30001 });
  });

  test('a message waits for its turn at the sender’s pace', async () => {
    await simulator.control('PUT', '/settings', { mps: { [SENDER]: 10 }, statusDelayMs: { sending: 0, sent: 0 } });
    const startedAt = performance.now();
    const answers = await Promise.all([1, 2, 3, 4].map(() => simulator.create({ StatusCallback: simulator.statusCallback() })));
    const sids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as MessageJson).sid));
    const told = await Promise.all(sids.map((sid) => waitFor(() => simulator.webhooksOf(sid)[0])));
    const afterMs = told.map(({ at }) => at - startedAt).toSorted((a, b) => a - b);
    // Timers may be a millisecond early.
    expect(afterMs.map((ms, index) => ms > index * 100 - 2)).toEqual([true, true, true, true]);
  });

  test('what a client sent is in the ledger as it came, with our id and attempt', async () => {
    const m = randomUUID();
    const body = randomBody();
    const to = randomPhone();
    await simulator.create({ To: to, Body: body, ContentSid: null, StatusCallback: simulator.statusCallback({ m, a: 3 }) });
    const { creates } = await simulator.ledger(`?m=${m}`);
    expect(creates).toMatchObject([
      { m, a: 3, to: `whatsapp:${to}`, from: SENDER, form: { To: `whatsapp:${to}`, From: SENDER, Body: body } },
    ]);
  });

  test('a client that hung up before the answer is written down as an answer lost, at the time of its arrival', async () => {
    await simulator.control('PUT', '/settings', { latencyMs: 400 });
    const m = randomUUID();
    const form = new URLSearchParams({
      To: `whatsapp:${randomPhone()}`,
      From: SENDER,
      ContentSid: `HX${'1'.repeat(32)}`,
      StatusCallback: simulator.statusCallback({ m }),
    });
    const basic = Buffer.from(`${simulator.apiKeySid}:${simulator.apiKeySecret}`).toString('base64');
    const calledAt = Date.now();
    const call = fetch(`${simulator.url}/2010-04-01/Accounts/${simulator.accountSid}/Messages.json`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: form,
      signal: AbortSignal.timeout(200),
    });
    expect(await seen(call)).toBe('no answer');
    const [create] = await waitFor(async () => {
      const { creates } = await simulator.ledger(`?m=${m}`);
      return creates.length === 1 && creates;
    });
    expect(create).toMatchObject({ outcome: 'created-answer-lost', httpStatus: null });
    expect(Date.parse(create?.at ?? '') - calledAt).toBeLessThan(200);
    await simulator.waitForWebhooks(create?.sid ?? '', 3);
  });

  test('a JSON body is refused with 21604, because Twilio reads forms only', async () => {
    const answer = await simulator.api('POST', '/Messages.json', {
      form: JSON.stringify({ To: 'x' }),
      headers: { 'content-type': 'application/json' },
    });
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: 21604 }]);
    expect((await simulator.ledger()).creates).toMatchObject([
      { m: null, a: null, to: null, outcome: 'refused', httpStatus: 400, form: null },
    ]);
  });

  test('media make an MM message', async () => {
    const created = await (await simulator.create({ ContentSid: null, MediaUrl: 'https://example.com/a.jpg' })).json();
    expect(created).toMatchObject({ sid: expect.stringMatching(/^MM[0-9a-f]{32}$/), num_media: '1', body: '' });
  });
});
