import { parseForm } from '@tickmark/twilio';
import { describe, expect, test } from 'vitest';
import { createCallbackTargets } from './callback-targets.ts';
import { checkCreate } from './create-rules.ts';
import { createSenderDirectory } from './sender-directory.ts';

const FROM = 'whatsapp:+14155238886';
const SERVICE = `MG${'5'.repeat(32)}`;
const CONTENT = `HX${'1'.repeat(32)}`;
const NOW = Date.parse('2026-11-23T10:00:00Z');
const deps = {
  senders: createSenderDirectory([FROM, SERVICE].map((address) => ({ alias: address, address, mps: 80 }))),
  targets: createCallbackTargets('http://127.0.0.1:3000'),
};

type Fields = Record<string, string | string[] | null>;
const check = (fields: Fields) => {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries({ To: 'whatsapp:US.someone', From: FROM, Body: 'Hello', ...fields })) {
    for (const one of [value ?? []].flat()) form.append(name, one);
  }
  return checkCreate(parseForm(form.toString()), deps, NOW);
};
const codeOf = (fields: Fields) => {
  const result = check(fields);
  return result.ok ? null : result.refusal.code;
};
const inSeconds = (seconds: number) => new Date(NOW + seconds * 1000).toISOString();

describe('checkCreate', () => {
  test.each<[string, number, Fields]>([
    ['no recipient', 21604, { To: null }],
    ['an empty recipient', 21604, { To: '' }],
    ['neither sender nor service', 21603, { From: null }],
    ['a recipient that is no number', 21211, { To: 'whatsapp:+abc' }],
    ['a recipient of an impossible length', 21211, { To: 'whatsapp:+1202' }],
    ['a recipient without a channel', 21910, { To: '+12025550100' }],
    ['a sender without a channel', 21910, { From: '+14155238886' }],
    ['a plain SMS', 21212, { To: '+12025550100', From: '+14155238886' }],
    ['a sender that is no number', 21212, { From: 'whatsapp:support' }],
    ['a sender of somebody else', 63007, { From: 'whatsapp:+14155238887' }],
    ['a message to oneself', 63031, { To: FROM }],
    ['a malformed service', 21705, { From: null, MessagingServiceSid: 'MG1' }],
    ['a service of somebody else', 21701, { From: null, MessagingServiceSid: `MG${'6'.repeat(32)}` }],
    ['a service to a recipient without a channel', 21703, { From: null, MessagingServiceSid: SERVICE, To: '+12025550100' }],
    ['neither text nor media nor template', 21619, { Body: null }],
    ['an empty text', 21619, { Body: '' }],
    ['a text of 1,601 characters', 21617, { Body: 'x'.repeat(1601) }],
    ['variables without a template', 21654, { Body: null, ContentVariables: '{"1":"a"}' }],
    ['a text and variables', 35127, { ContentVariables: '{"1":"a"}', ContentSid: CONTENT }],
    ['a malformed template', 21655, { Body: null, ContentSid: 'HX1' }],
    ['variables that are no JSON', 21656, { Body: null, ContentSid: CONTENT, ContentVariables: '{1:a}' }],
    ['variables that are a list', 21656, { Body: null, ContentSid: CONTENT, ContentVariables: '["a"]' }],
    ['a variable that is null', 21656, { Body: null, ContentSid: CONTENT, ContentVariables: '{"1":null}' }],
    ['media without a scheme', 21620, { Body: null, MediaUrl: 'example.com/a.jpg' }],
    ['eleven media', 21623, { MediaUrl: Array.from({ length: 11 }, () => 'https://example.com/a.jpg') }],
    ['a validity of 0 seconds', 21624, { ValidityPeriod: '0' }],
    ['a validity above ten hours', 21624, { ValidityPeriod: '36001' }],
    ['a validity that is no number', 21624, { ValidityPeriod: 'soon' }],
    ['a StatusCallback that is no URL', 21609, { StatusCallback: '/hook' }],
    ['a StatusCallback with an underscore in its host', 21609, { StatusCallback: 'http://my_host/hook' }],
    ['a StatusCallback outside this machine', 21609, { StatusCallback: 'https://example.com/hook' }],
    ['an unknown kind of schedule', 35126, { ScheduleType: 'later', MessagingServiceSid: SERVICE, SendAt: inSeconds(1000) }],
    ['a schedule without a service', 35118, { ScheduleType: 'fixed', SendAt: inSeconds(1000) }],
    ['a schedule without a time', 35111, { ScheduleType: 'fixed', MessagingServiceSid: SERVICE }],
    ['a schedule in less than 15 minutes', 35114, { ScheduleType: 'fixed', MessagingServiceSid: SERVICE, SendAt: inSeconds(899) }],
    ['a schedule in more than 35 days', 35114, { ScheduleType: 'fixed', MessagingServiceSid: SERVICE, SendAt: inSeconds(35 * 86_400 + 1) }],
    ['a schedule at no time at all', 35114, { ScheduleType: 'fixed', MessagingServiceSid: SERVICE, SendAt: 'tomorrow' }],
  ])('%s is refused with %i', (_label, code, fields) => {
    expect(codeOf(fields)).toBe(code);
  });

  test.each<[string, Fields]>([
    ['a text', {}],
    ['a text of 1,600 characters outside the basic plane', { Body: '😀'.repeat(1600) }],
    ['a business-scoped user', { To: 'whatsapp:DE.abc123' }],
    ['a template with variables', { Body: null, ContentSid: CONTENT, ContentVariables: '{"1":"a"}' }],
    ['a template without variables', { Body: null, ContentSid: CONTENT }],
    ['media alone', { Body: null, MediaUrl: 'https://example.com/a.jpg' }],
    ['a service and a sender', { MessagingServiceSid: SERVICE }],
    ['unknown parameters', { Surprise: 'yes' }],
    ['the longest validity', { ValidityPeriod: '36000' }],
  ])('%s is taken', (_label, fields) => {
    expect(codeOf(fields)).toBeNull();
  });

  test('a service may stand in From', () => {
    expect(check({ From: SERVICE })).toMatchObject({ ok: true, params: { from: null, messagingServiceSid: SERVICE } });
  });

  test('everything that was asked for is told', () => {
    const sendAt = inSeconds(3600);
    const result = check({
      From: null,
      MessagingServiceSid: SERVICE,
      MediaUrl: ['https://example.com/a.jpg', 'https://example.com/b.jpg'],
      StatusCallback: 'http://127.0.0.1:3000/hook#rc=5',
      ValidityPeriod: '60',
      ScheduleType: 'fixed',
      SendAt: sendAt,
    });
    expect(result).toEqual({
      ok: true,
      params: {
        to: 'whatsapp:US.someone',
        from: null,
        messagingServiceSid: SERVICE,
        body: 'Hello',
        contentSid: null,
        contentVariables: null,
        mediaCount: 2,
        statusCallback: 'http://127.0.0.1:3000/hook#rc=5',
        validityPeriodSeconds: 60,
        sendAt: Date.parse(sendAt),
      },
    });
  });
});
