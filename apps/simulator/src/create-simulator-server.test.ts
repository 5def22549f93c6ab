import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomBody, randomPhone } from '@tickmark/testing';
import { SENDER, SERVICE, startSimulator, type MessageJson, type SimulatorHarness } from './fixtures/simulator-harness.ts';

let simulator: SimulatorHarness;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.close());

const json = async (answer: Response | Promise<Response>) => (await (await answer).json()) as MessageJson;
const wordsOf = (sid: string) => simulator.webhooksOf(sid).map(({ params }) => params['MessageStatus']);

describe('a message', () => {
  test('sent from a number is queued, then told of as sent, delivered and read by signed callbacks', async () => {
    const statusCallback = simulator.statusCallback();
    const to = randomPhone();
    const created = await json(simulator.create({ To: to, StatusCallback: statusCallback }));
    expect(created).toMatchObject({ status: 'queued', from: SENDER, direction: 'outbound-api', num_segments: '1', date_sent: null });
    await simulator.waitForWebhooks(created.sid, 3);
    expect(new Set(wordsOf(created.sid))).toEqual(new Set(['sent', 'delivered', 'read']));
    for (const webhook of simulator.webhooksOf(created.sid)) {
      expect(webhook.signed).toBe(true);
      expect(webhook.path).toBe(statusCallback.slice(simulator.receiver.url.length));
      expect(webhook.params).toMatchObject({
        AccountSid: simulator.accountSid,
        SmsSid: created.sid,
        From: SENDER,
        To: `whatsapp:${to}`,
      });
    }
    expect(await simulator.fetchMessage(created.sid)).toMatchObject({ status: 'read', error_code: null, price_unit: 'USD' });
  });

  test('sent by a service is accepted without a sender, and a queued callback tells the sender', async () => {
    const created = await json(simulator.create({ From: null, MessagingServiceSid: SERVICE, StatusCallback: simulator.statusCallback() }));
    expect(created).toMatchObject({ status: 'accepted', from: null, messaging_service_sid: SERVICE, num_segments: '0' });
    await simulator.waitForWebhooks(created.sid, 4);
    expect(wordsOf(created.sid)).toContain('queued');
    expect(simulator.webhooksOf(created.sid)[0]?.params).toMatchObject({ From: SENDER, MessagingServiceSid: SERVICE });
    expect(await simulator.fetchMessage(created.sid)).toMatchObject({ from: SENDER });
  });

  test('without a template fails with 63016 until the recipient has written in', async () => {
    const to = randomPhone();
    const fields = { To: to, ContentSid: null, Body: randomBody(), StatusCallback: simulator.statusCallback() };
    const first = await json(simulator.create(fields));
    const [failure] = await simulator.waitForWebhooks(first.sid, 1);
    expect(failure?.params).toMatchObject({ MessageStatus: 'failed', ErrorCode: '63016' });
    expect(failure?.params['ChannelStatusMessage']).toBeTruthy();
    expect(await simulator.fetchMessage(first.sid)).toMatchObject({ status: 'failed', error_code: 63016 });
    expect((await simulator.control('POST', '/inbound', { from: to, to: SENDER, body: 'Hi' })).status).toBe(200);
    const second = await json(simulator.create(fields));
    await simulator.waitForStatus(second.sid, 'read');
  });

  test.each([
    ['63024', 'undelivered', 63024],
    ['63016', 'failed', 63016],
    ['63018', 'failed', 63018],
    ['63049', 'undelivered', 63049],
    ['00001', 'delivered', null],
    ['00013', 'delivered', null],
    ['00017', 'undelivered', 63024],
  ])('to the magic recipient %s ends as %s with code %s', async (code, status, errorCode) => {
    const created = await json(simulator.create({ To: `+150055${code}`, StatusCallback: simulator.statusCallback() }));
    const steps = { '00013': 3, '00017': 3, '63024': 2, '63049': 2, '00001': 2 }[code] ?? 1;
    await simulator.waitForWebhooks(created.sid, steps);
    expect(await simulator.fetchMessage(created.sid)).toMatchObject({ status, error_code: errorCode });
  });

  test('without a StatusCallback goes its way in silence', async () => {
    const created = await json(simulator.create());
    await simulator.waitForStatus(created.sid, 'read');
    expect(simulator.webhooksOf(created.sid)).toEqual([]);
  });
});
