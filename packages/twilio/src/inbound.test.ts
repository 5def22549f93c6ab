import { inboundMessageSchema } from '@tickmark/domain';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseForm } from './form.ts';
import { parseInbound } from './inbound.ts';

const RECEIVED_AT = new Date('2026-11-23T10:00:00.000Z');
const MINIMAL = { MessageSid: `SM${'b'.repeat(32)}`, From: 'whatsapp:+15550001111', To: 'whatsapp:+15550002222' };

describe('parseInbound', () => {
  test('a message with media, a button and a reply becomes an inbound message', () => {
    const body =
      'MessageSid=SM1&SmsSid=SM1&AccountSid=AC1&MessagingServiceSid=MG1&From=whatsapp%3A%2B15550001111&To=whatsapp%3A%2B15550002222&Body=Hello+%F0%9F%98%80&NumMedia=2' +
      '&MediaUrl0=https%3A%2F%2Fapi.twilio.com%2Fm0&MediaContentType0=image%2Fpng&MediaUrl1=https%3A%2F%2Fapi.twilio.com%2Fm1' +
      '&ButtonText=Yes&ButtonPayload=p1&OriginalRepliedMessageSid=SM0&ProfileName=Ann&WaId=15550001111&OptOutType=STOP' +
      '&Latitude=52.5&Longitude=13.4&Label=Caf%C3%A9&ReferralSourceId=ad-1&FlowData=%7B%22a%22%3A1%7D&NewByTwilio=1';
    expect(parseInbound(parseForm(body), RECEIVED_AT)).toEqual({
      ok: true,
      accountSid: 'AC1',
      message: {
        messageSid: 'SM1',
        from: 'whatsapp:+15550001111',
        to: 'whatsapp:+15550002222',
        messagingServiceSid: 'MG1',
        body: 'Hello 😀',
        media: [
          { url: 'https://api.twilio.com/m0', contentType: 'image/png' },
          { url: 'https://api.twilio.com/m1', contentType: null },
        ],
        buttonText: 'Yes',
        buttonPayload: 'p1',
        repliedToSid: 'SM0',
        profileName: 'Ann',
        optOutType: 'STOP',
        details: {
          WaId: '15550001111',
          FlowData: '{"a":1}',
          Latitude: '52.5',
          Longitude: '13.4',
          Label: 'Café',
          ReferralSourceId: 'ad-1',
        },
        receivedAt: '2026-11-23T10:00:00.000Z',
      },
    });
  });

  test('what is absent or empty is null', () => {
    expect(parseInbound({ ...MINIMAL, Body: '', NumMedia: '0' }, RECEIVED_AT)).toMatchObject({
      ok: true,
      accountSid: null,
      message: { body: null, media: [], buttonText: null, profileName: null, messagingServiceSid: null },
    });
  });

  test('a sender without a phone number is kept as received', () => {
    expect(parseInbound({ ...MINIMAL, From: 'whatsapp:US.1234' }, RECEIVED_AT)).toMatchObject({ message: { from: 'whatsapp:US.1234' } });
  });

  test.each([
    ['without a sid', { MessageSid: '' }, 'missing-sid'],
    ['without a sender', { From: '' }, 'missing-address'],
    ['without a recipient', { To: '' }, 'missing-address'],
    ['with an address that is too long to be one', { From: 'w'.repeat(257) }, 'missing-address'],
  ])('a message %s is refused by reason', (_name, params, reason) => {
    expect(parseInbound({ ...MINIMAL, ...params }, RECEIVED_AT)).toEqual({ ok: false, reason, accountSid: null });
  });

  test('more media than the schema takes are left out', () => {
    const media = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`MediaUrl${index}`, `https://m/${index}`]));
    const parsed = parseInbound({ ...MINIMAL, ...media }, RECEIVED_AT);
    expect(parsed.ok && parsed.message.media.length).toBe(20);
  });

  test('whatever Twilio sends, the message fits its schema', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 10 }),
      fc.nat({ max: 9_000 }).map((length) => '😀'.repeat(length)),
      fc.constant('\uD800x\0'),
    );
    const names = [
      'MessageSid',
      'SmsSid',
      'From',
      'To',
      'Body',
      'MediaUrl0',
      'MediaUrl7',
      'MediaContentType0',
      'ButtonText',
      'ButtonPayload',
      'OriginalRepliedMessageSid',
      'ProfileName',
      'OptOutType',
      'MessagingServiceSid',
      'AccountSid',
      'FlowData',
      'Latitude',
    ];
    const params = fc.dictionary(fc.constantFrom(...names), fc.oneof(value, fc.array(value, { maxLength: 3 })));
    fc.assert(
      fc.property(params, fc.boolean(), (form, complete) => {
        const parsed = parseInbound(complete ? { ...MINIMAL, ...form } : form, RECEIVED_AT);
        expect(!parsed.ok || inboundMessageSchema.safeParse(parsed.message).success).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});
