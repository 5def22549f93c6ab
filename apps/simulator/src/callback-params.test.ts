import { parseStatusCallback } from '@tickmark/twilio';
import { describe, expect, test } from 'vitest';
import { statusCallbackParams } from './callback-params.ts';
import { aMessage } from './fixtures/a-message.ts';

const ACCOUNT = `AC${'b'.repeat(32)}`;
const SERVICE = `MG${'5'.repeat(32)}`;
const paramsOf = (status: string, errorCode: number | null = null, fields = {}) =>
  statusCallbackParams(aMessage(fields), status, errorCode, ACCOUNT);

describe('statusCallbackParams', () => {
  test('name the message, the status twice and the channel', () => {
    const { sid } = aMessage();
    expect(paramsOf('sent')).toEqual({
      SmsSid: sid,
      MessageSid: sid,
      SmsStatus: 'sent',
      MessageStatus: 'sent',
      AccountSid: ACCOUNT,
      ApiVersion: '2010-04-01',
      From: 'whatsapp:+14155238886',
      To: 'whatsapp:US.someone',
      ChannelPrefix: 'whatsapp',
      ChannelInstallSid: expect.stringMatching(/^XE[0-9a-f]{32}$/),
      ChannelToAddress: 'US.somXXXX',
      StructuredMessage: 'true',
    });
  });

  test.each([
    ['read', 'READ'],
    ['delivered', 'DELIVERED'],
    ['undelivered', 'UNDELIVERED'],
    ['sent', undefined],
    ['queued', undefined],
  ])('%s carries the event type %s', (status, eventType) => {
    expect(paramsOf(status)['EventType']).toBe(eventType);
  });

  test('a failure carries its code and words, everything else neither', () => {
    expect(paramsOf('failed', 63016)).toMatchObject({ ErrorCode: '63016', ChannelStatusMessage: expect.stringMatching(/\w/) });
    expect(Object.keys(paramsOf('read'))).not.toContain('ErrorCode');
  });

  test('a service is named beside the sender that it chose', () => {
    expect(paramsOf('queued', null, { messagingServiceSid: SERVICE })['MessagingServiceSid']).toBe(SERVICE);
    expect(Object.keys(paramsOf('queued'))).not.toContain('MessagingServiceSid');
  });

  test('the read callback begins with another parameter than the others, as Twilio’s does', () => {
    expect(Object.keys(paramsOf('read'))[0]).toBe('EventType');
    expect(Object.keys(paramsOf('sent'))[0]).toBe('SmsSid');
  });

  test('our own reader understands them', () => {
    const now = new Date();
    expect(parseStatusCallback(paramsOf('undelivered', 63024), { m: null }, now)).toMatchObject({
      ok: true,
      accountSid: ACCOUNT,
      event: { messageSid: aMessage().sid, rawStatus: 'undelivered', errorCode: 63024 },
    });
  });
});
