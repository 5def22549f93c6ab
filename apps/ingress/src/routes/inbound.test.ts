import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { randomBody, randomPhone, randomToken } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createIngressHarness, randomSid, type IngressHarness } from '../fixtures/ingress-harness.ts';

const PATH = '/webhooks/twilio/inbound';

describe(`POST ${PATH}`, () => {
  let ingress: IngressHarness;
  beforeAll(async () => {
    ingress = await createIngressHarness();
  });
  afterAll(() => ingress.close());

  const inbound = (overrides: Record<string, string> = {}): Record<string, string> => ({
    SmsMessageSid: 'unused',
    NumMedia: '1',
    ProfileName: 'Ada',
    MessageType: 'image',
    WaId: '15005550006',
    SmsStatus: 'received',
    Body: randomBody(),
    MediaUrl0: 'https://api.twilio.com/media/1',
    MediaContentType0: 'image/jpeg',
    To: `whatsapp:${randomPhone()}`,
    From: `whatsapp:${randomPhone()}`,
    MessageSid: randomSid('SM'),
    AccountSid: ingress.accountSid,
    ...overrides,
  });

  it('answers with empty TwiML, and the queue holds the message', async () => {
    const params = inbound({ OriginalRepliedMessageSid: randomSid('SM'), ButtonText: 'Yes', ButtonPayload: 'yes-1' });
    const answer = await ingress.webhook(PATH, params);
    expect(answer).toMatchObject({ status: 200, text: '<Response/>' });
    expect(answer.headers.get('content-type')).toMatch(/^text\/xml/);
    expect((await ingress.enqueued()).inbound).toEqual([
      {
        messageSid: params['MessageSid'],
        from: params['From'],
        to: params['To'],
        messagingServiceSid: null,
        body: params['Body'],
        media: [{ url: 'https://api.twilio.com/media/1', contentType: 'image/jpeg' }],
        buttonText: 'Yes',
        buttonPayload: 'yes-1',
        repliedToSid: params['OriginalRepliedMessageSid'],
        profileName: 'Ada',
        optOutType: null,
        details: { WaId: '15005550006', MessageType: 'image' },
        receivedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      },
    ]);
  });

  it('asks for no media: what it is told of them is kept', async () => {
    const asked: unknown[] = [];
    const media = createServer((request, response) => {
      asked.push(request.url);
      response.end();
    });
    await once(media.listen(0, '127.0.0.1'), 'listening');
    const url = `http://127.0.0.1:${(media.address() as AddressInfo).port}/media/1`;
    await ingress.webhook(PATH, inbound({ MediaUrl0: url }));
    expect((await ingress.enqueued()).inbound).toMatchObject([{ media: [{ url, contentType: 'image/jpeg' }] }]);
    media.close();
    expect(asked).toEqual([]);
  });

  it('takes a person without a number: a business-scoped id stands in From', async () => {
    const params = inbound({ From: 'whatsapp:US.Abc123' });
    expect((await ingress.webhook(PATH, params)).status).toBe(200);
    expect((await ingress.enqueued()).inbound).toMatchObject([{ from: 'whatsapp:US.Abc123' }]);
  });

  it.each([
    ['an unsigned message', {}, { signature: null }, 403, 'INVALID_SIGNATURE', 'X-Twilio-Signature'],
    ['a forged message', {}, { token: 'f'.repeat(32) }, 403, 'INVALID_SIGNATURE', 'TWILIO_AUTH_TOKEN'],
    ['a message of another account', { AccountSid: `AC${'0'.repeat(32)}` }, {}, 403, 'WRONG_ACCOUNT', 'TWILIO_ACCOUNT_SID'],
    ['a message without sender', { From: '' }, {}, 400, 'VALIDATION_FAILED', 'From'],
    ['a message over 64 KiB', { Extra: 'x'.repeat(66_000) }, {}, 413, 'PAYLOAD_TOO_LARGE', 'smaller'],
  ])('refuses %s and stores nothing', async (_name, overrides, options, status, code, says) => {
    const answer = await ingress.webhook(PATH, inbound(overrides), options);
    expect(answer).toMatchObject({ status, json: { error: { code, message: expect.stringContaining(says) } } });
    expect((await ingress.enqueued()).inbound).toEqual([]);
  });

  it('does not take the signature of one route for the other', async () => {
    const params = inbound({ MessageStatus: 'read' });
    const answer = await ingress.webhook('/webhooks/twilio/status', params, { url: ingress.publicBaseUrl + PATH });
    expect(answer.json.error.code).toBe('INVALID_SIGNATURE');
    expect((await ingress.enqueued()).events).toEqual([]);
  });

  it('writes neither the text nor the person to the log', async () => {
    const params = inbound();
    await ingress.webhook(PATH, params);
    await ingress.webhook(PATH, params, { token: randomToken() });
    await ingress.enqueued();
    for (const name of ['Body', 'From', 'To']) expect(ingress.log.text()).not.toContain(params[name]);
  });
});
