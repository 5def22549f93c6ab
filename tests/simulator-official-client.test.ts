// Twilio's own client against the simulator, told of it by nothing but the base URL: what works here works there.
import { randomBytes } from 'node:crypto';
import { freePort, randomBody, randomPhone, randomToken, spawnProcess, waitFor, type SpawnedProcess } from '@tickmark/testing';
import twilio from 'twilio';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const SENDER = 'whatsapp:+14155238886';
const SERVICE = `MG${'5'.repeat(32)}`;
const CONTENT = `HX${'1'.repeat(32)}`;

let simulator: SpawnedProcess;
let client: twilio.Twilio;

beforeAll(async () => {
  const [port, metricsPort] = [await freePort(), await freePort()];
  const accountSid = `AC${randomBytes(16).toString('hex')}`;
  const apiKeySid = `SK${randomBytes(16).toString('hex')}`;
  const apiKeySecret = randomToken();
  simulator = spawnProcess({
    entry: 'apps/simulator/src/main.ts',
    env: {
      SIMULATOR_PORT: String(port),
      METRICS_PORT: String(metricsPort),
      PUBLIC_BASE_URL: 'http://127.0.0.1:9',
      TWILIO_ACCOUNT_SID: accountSid,
      TWILIO_API_KEY_SID: apiKeySid,
      TWILIO_API_KEY_SECRET: apiKeySecret,
      TWILIO_AUTH_TOKEN: randomToken(),
      TWILIO_SENDERS: `support@${SENDER}=80,news@${SERVICE}=400`,
      SIMULATOR_SETTINGS: JSON.stringify({ windowGuard: false, statusDelayMs: { sending: 1, sent: 1, delivered: 1, read: 1 } }),
    },
  });
  await simulator.waitForReady(`http://127.0.0.1:${metricsPort}/health/ready`);
  client = twilio(apiKeySid, apiKeySecret, { accountSid, keepAlive: false });
  client.api.baseUrl = `http://127.0.0.1:${port}`;
});
afterAll(() => simulator.kill());

const newTo = () => `whatsapp:${randomPhone()}`;
const inHours = (hours: number) => new Date(Date.now() + hours * 3_600_000);

describe('the official client', () => {
  test('creates a message and fetches it as it goes its way', async () => {
    const body = randomBody();
    const to = newTo();
    const created = await client.messages.create({ to, from: SENDER, body });
    expect(created).toMatchObject({
      to,
      from: SENDER,
      body,
      status: 'queued',
      direction: 'outbound-api',
      errorCode: null,
      numSegments: '1',
    });
    expect(created.dateCreated).toBeInstanceOf(Date);
    const read = await waitFor(async () => {
      const message = await client.messages(created.sid).fetch();
      return message.status === 'read' && message;
    });
    expect(read).toMatchObject({ sid: created.sid, body });
    expect(read.dateSent.getTime()).toBeGreaterThan(Date.now() - 60_000);
  });

  test('sees a refusal as its own exception, with code and status', async () => {
    await expect(client.messages.create({ to: 'whatsapp:+15000021211', from: SENDER, contentSid: CONTENT })).rejects.toMatchObject({
      code: 21211,
      status: 400,
      moreInfo: 'https://www.twilio.com/docs/errors/21211',
    });
    await expect(client.messages(`SM${'0'.repeat(32)}`).fetch()).rejects.toMatchObject({ code: 20404, status: 404 });
  });

  test('lists by recipient over several pages, newest first, and by date', async () => {
    const to = newTo();
    const sids: string[] = [];
    for (let index = 0; index < 5; index++) sids.unshift((await client.messages.create({ to, from: SENDER, contentSid: CONTENT })).sid);
    await client.messages.create({ to: newTo(), from: SENDER, contentSid: CONTENT });
    const listed = await client.messages.list({ to, pageSize: 2 });
    expect(listed.map(({ sid }) => sid)).toEqual(sids);
    const page = await client.messages.page({ to, from: SENDER, pageSize: 3 });
    expect(page.instances.map(({ sid }) => sid)).toEqual(sids.slice(0, 3));
    const next = await page.nextPage();
    expect(next?.instances.map(({ sid }) => sid)).toEqual(sids.slice(3));
    expect(next?.getNextPageUrl()).toBeUndefined();

    await waitFor(async () => (await client.messages.list({ to })).every(({ status }) => status === 'read'));
    expect(await client.messages.list({ to, dateSentAfter: inHours(-1), limit: 4 })).toHaveLength(4);
    expect(await client.messages.list({ to, dateSentBefore: inHours(-1) })).toEqual([]);
    expect(await client.messages.list({ to, dateSent: inHours(-48) })).toEqual([]);
    expect(await client.messages.list({ to, from: 'whatsapp:+14155238887' })).toEqual([]);
  });

  test('schedules a message, cancels it, and is refused a second time', async () => {
    const created = await client.messages.create({
      to: newTo(),
      messagingServiceSid: SERVICE,
      contentSid: CONTENT,
      contentVariables: '{"1":"Grace"}',
      scheduleType: 'fixed',
      sendAt: inHours(1),
    });
    expect(created).toMatchObject({ status: 'scheduled', from: null, messagingServiceSid: SERVICE });
    expect(await client.messages(created.sid).update({ status: 'canceled' })).toMatchObject({ sid: created.sid, status: 'canceled' });
    await expect(client.messages(created.sid).update({ status: 'canceled' })).rejects.toMatchObject({ code: 30409 });
  });

  test('redacts and removes a message that has ended', async () => {
    const { sid } = await client.messages.create({ to: newTo(), from: SENDER, body: randomBody() });
    await waitFor(async () => (await client.messages(sid).fetch()).status === 'read');
    expect(await client.messages(sid).update({ body: '' })).toMatchObject({ body: '' });
    expect(await client.messages(sid).remove()).toBe(true);
    await expect(client.messages(sid).fetch()).rejects.toMatchObject({ code: 20404 });
  });
});
