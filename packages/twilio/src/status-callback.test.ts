import { statusEventSchema } from '@tickmark/domain';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseForm } from './form.ts';
import { buildStatusCallbackUrl, parseStatusCallback, webhookUrl } from './status-callback.ts';

const RECEIVED_AT = new Date('2026-11-23T10:00:00.000Z');
const MESSAGE_ID = '0190f3c8-7e5a-7cc1-9a52-7d1f6a3f2b10';
const SID = `SM${'a'.repeat(32)}`;

describe('parseStatusCallback', () => {
  test('a complete callback becomes an event', () => {
    const body = `ErrorCode=63016&ChannelPrefix=whatsapp&MessageSid=${SID}&SmsSid=${SID}&MessageStatus=undelivered&SmsStatus=undelivered&AccountSid=AC1&From=whatsapp%3A%2B15550001111&To=whatsapp%3A%2B15550002222&MessagingServiceSid=MG1&ChannelStatusMessage=Outside+window&NewParameter=1`;
    expect(parseStatusCallback(parseForm(body), { m: MESSAGE_ID, a: '2' }, RECEIVED_AT)).toEqual({
      ok: true,
      accountSid: 'AC1',
      event: {
        messageId: MESSAGE_ID,
        attempt: 2,
        messageSid: SID,
        rawStatus: 'undelivered',
        errorCode: 63016,
        receivedAt: '2026-11-23T10:00:00.000Z',
        from: 'whatsapp:+15550001111',
        to: 'whatsapp:+15550002222',
        messagingServiceSid: 'MG1',
        channelStatusMessage: 'Outside window',
        source: 'callback',
      },
    });
  });

  const parse = (params: Record<string, string>, query: unknown = {}) =>
    parseStatusCallback({ MessageSid: SID, MessageStatus: 'sent', ...params }, query, RECEIVED_AT);
  const eventOf = (params: Record<string, string>, query?: unknown) => {
    const parsed = parse(params, query);
    if (!parsed.ok) throw new Error(parsed.reason);
    return parsed.event;
  };

  test('a status word that nobody knows is kept as it is', () => {
    expect(eventOf({ MessageStatus: 'Teleported' }).rawStatus).toBe('Teleported');
  });

  test.each([
    ['SmsStatus', { MessageStatus: '', SmsStatus: 'delivered' }, 'delivered'],
    ['EventType', { MessageStatus: '', EventType: 'READ' }, 'read'],
  ])('%s speaks where MessageStatus is missing', (_name, params, rawStatus) => {
    expect(eventOf(params).rawStatus).toBe(rawStatus);
  });

  test('SmsSid speaks where MessageSid is missing', () => {
    expect(eventOf({ MessageSid: '', SmsSid: 'SM2' }).messageSid).toBe('SM2');
  });

  test.each([
    ['without a sid', { MessageSid: '' }, 'missing-sid'],
    ['with a sid that is too long to be one', { MessageSid: 'S'.repeat(65) }, 'missing-sid'],
    ['without a status', { MessageStatus: '' }, 'missing-status'],
  ])('a callback %s is refused by reason', (_name, params, reason) => {
    expect(parse({ AccountSid: 'AC1', ...params })).toEqual({ ok: false, reason, accountSid: 'AC1' });
  });

  test.each([
    ['nothing', {}],
    ['no query at all', undefined],
    ['no UUID', { m: 'x', a: 'x' }],
    ['repeated', { m: [MESSAGE_ID, MESSAGE_ID], a: ['1', '2'] }],
    ['attempt 0', { a: '0' }],
    ['a negative attempt', { a: '-1' }],
    ['a fraction', { a: '1.5' }],
    ['an attempt beyond any integer column', { a: '9999999999' }],
    ['an attempt in exponents', { a: '1e3' }],
  ])('m and a of %s are null, never a refusal', (_name, query) => {
    expect(eventOf({}, query)).toMatchObject({ messageId: null, attempt: null });
  });

  test('m in capitals is our id', () => {
    expect(eventOf({}, { m: MESSAGE_ID.toUpperCase() }).messageId).toBe(MESSAGE_ID);
  });

  test.each([
    ['', null],
    ['0', null],
    ['abc', null],
    ['30008', 30008],
    ['9'.repeat(20), null],
  ])('ErrorCode %j is %j', (code, expected) => {
    expect(eventOf({ ErrorCode: code }).errorCode).toBe(expected);
  });

  test('whatever Twilio sends, the event fits its schema', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 10 }),
      fc.nat({ max: 3_000 }).map((length) => '😀'.repeat(length)),
      fc.constant('\uD800x\0'),
    );
    const names = [
      'MessageSid',
      'SmsSid',
      'MessageStatus',
      'SmsStatus',
      'EventType',
      'ErrorCode',
      'From',
      'To',
      'MessagingServiceSid',
      'ChannelStatusMessage',
      'AccountSid',
    ];
    const params = fc.dictionary(fc.constantFrom(...names), fc.oneof(value, fc.array(value, { maxLength: 3 })));
    const query = fc.record({ m: fc.oneof(value, fc.uuid(), fc.constant(undefined)), a: fc.oneof(value, fc.integer().map(String)) });
    fc.assert(
      fc.property(
        params,
        query,
        fc.date({ noInvalidDate: true, min: new Date('2000-01-01'), max: new Date('2100-01-01') }),
        (form, asked, at) => {
          const parsed = parseStatusCallback(form, asked, at);
          if (!parsed.ok) return;
          expect(statusEventSchema.safeParse(parsed.event)).toMatchObject({ success: true });
          expect(JSON.stringify(parsed.event)).not.toMatch(/\\u0000|\\ud[89a-f]/);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('buildStatusCallbackUrl', () => {
  const callback = { publicBaseUrl: 'https://tick.example.com', messageId: MESSAGE_ID, attempt: 3 };

  test('carries message and attempt in the signed query and the overrides in the fragment', () => {
    expect(buildStatusCallbackUrl(callback)).toBe(
      `https://tick.example.com/webhooks/twilio/status?m=${MESSAGE_ID}&a=3#rc=5&rp=ct,rt,5xx&ct=2000&rt=4000`,
    );
  });

  test('takes other overrides, or none', () => {
    expect(buildStatusCallbackUrl({ ...callback, overrides: 'rc=1' })).toMatch(/a=3#rc=1$/);
    expect(buildStatusCallbackUrl({ ...callback, overrides: '' })).toMatch(/a=3$/);
  });

  test('what it carries is read back', () => {
    const { searchParams } = new URL(buildStatusCallbackUrl(callback));
    const parsed = parseStatusCallback({ MessageSid: SID, MessageStatus: 'sent' }, Object.fromEntries(searchParams), RECEIVED_AT);
    expect(parsed).toMatchObject({ event: { messageId: MESSAGE_ID, attempt: 3 } });
  });
});

test.each([
  ['https://tick.example.com', 'https://tick.example.com/x?y=%20'],
  ['https://tick.example.com/', 'https://tick.example.com/x?y=%20'],
  ['https://tick.example.com/base//', 'https://tick.example.com/base/x?y=%20'],
])('the public URL under %s joins with one slash and keeps the raw query', (base, expected) => {
  expect(webhookUrl(base, '/x?y=%20')).toBe(expected);
});
