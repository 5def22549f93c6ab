import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CATEGORIES, messageRequestSchema, ON_UNKNOWN, PRIORITIES, validateMessageRequest } from './message-request.ts';

const TO = '+15550100200';
const STORED_TO = 'whatsapp:+15550100200';
const TEMPLATE = `HX${'0a'.repeat(16)}`;
const NOW = new Date('2030-01-01T00:00:00Z');
const CONTENT = 'give either contentSid (with contentVariables) or body and/or mediaUrl';

/** A refusal as `code` and `path: message` lines. */
function refusalOf(input: unknown): { code: string; problems: string[] } {
  const result = validateMessageRequest(input, NOW);
  if (result.ok) throw new Error('accepted');
  return { code: result.code, problems: result.problems.map(({ path, message }) => `${path}: ${message}`) };
}

describe('a message request', () => {
  it.each<[string, object, object]>([
    ['a text', { body: 'hello' }, { body: 'hello' }],
    ['media', { mediaUrl: 'https://example.com/a.jpg' }, { mediaUrl: 'https://example.com/a.jpg' }],
    ['media with a text', { mediaUrl: 'https://example.com/a.jpg', body: 'x' }, { mediaUrl: 'https://example.com/a.jpg', body: 'x' }],
    ['a template', { contentSid: TEMPLATE }, { contentSid: TEMPLATE }],
    [
      'a template with variables',
      { contentSid: TEMPLATE, contentVariables: { 1: 'Ann' } },
      { contentSid: TEMPLATE, contentVariables: { 1: 'Ann' } },
    ],
    [
      'variables as a JSON string',
      { contentSid: TEMPLATE, contentVariables: '{"1":"Ann"}' },
      { contentSid: TEMPLATE, contentVariables: { 1: 'Ann' } },
    ],
    [
      'all side properties',
      { body: 'x', from: 'support', category: 'utility', campaign: 'c', metadata: { a: 'b' } },
      { body: 'x', from: 'support', category: 'utility', campaign: 'c', metadata: { a: 'b' } },
    ],
  ])('may be %s', (_label, input, expected) => {
    const request = { to: STORED_TO, priority: 'bulk', onUnknown: 'hold', ...expected };
    expect(validateMessageRequest({ to: TO, ...input }, NOW)).toEqual({ ok: true, request });
  });

  it('is bulk unless it says otherwise, because a campaign must not overtake one-time passwords', () => {
    const priorityOf = (priority?: unknown) =>
      messageRequestSchema.parse({ to: TO, body: 'x', ...(priority === undefined ? {} : { priority }) }).priority;
    expect(priorityOf()).toBe('bulk');
    expect(PRIORITIES.map(priorityOf)).toEqual(PRIORITIES);
  });

  it.each(CATEGORIES)('may have the category %s', (category) => {
    expect(validateMessageRequest({ to: TO, body: 'x', category }, NOW)).toMatchObject({ ok: true, request: { category } });
  });

  it.each(ON_UNKNOWN)('may ask for %s when its outcome is unknown', (onUnknown) => {
    expect(validateMessageRequest({ to: TO, body: 'x', onUnknown }, NOW)).toMatchObject({ ok: true, request: { onUnknown } });
  });

  it.each([
    ['in UTC', '2030-01-31T09:00:00Z', '2030-01-31T09:00:00.000Z'],
    ['with an offset', '2030-01-31T09:00:00.25+05:30', '2030-01-31T03:30:00.250Z'],
    ['without seconds', '2030-01-31T09:00-01:00', '2030-01-31T10:00:00.000Z'],
    ['35 days ahead', '2030-02-05T00:00:00Z', '2030-02-05T00:00:00.000Z'],
    ['in the past', '1999-12-31T23:59:59Z', '1999-12-31T23:59:59.000Z'],
  ])('may be sent later, at a time %s', (_label, sendAt, instant) => {
    expect(validateMessageRequest({ to: TO, body: 'x', sendAt }, NOW)).toMatchObject({ ok: true, request: { sendAt: instant } });
  });

  it.each([1, 36_000])('may be worth sending for %i seconds only', (validityPeriod) => {
    expect(validateMessageRequest({ to: TO, body: 'x', validityPeriod }, NOW)).toMatchObject({ ok: true, request: { validityPeriod } });
  });

  it('is an input that OpenAPI can describe', () => {
    const schema = z.toJSONSchema(messageRequestSchema, { io: 'input' });
    expect(schema).toMatchObject({
      type: 'object',
      required: ['to'],
      additionalProperties: false,
      properties: {
        body: { maxLength: 1600 },
        sendAt: { type: 'string', format: 'date-time' },
        validityPeriod: { type: 'integer', minimum: 1, maximum: 36_000 },
        onUnknown: { enum: ['hold', 'resend'], default: 'hold' },
      },
    });
  });
});

describe('a refused message request', () => {
  it.each<[string, object, string, string[]]>([
    ['no recipient', { to: undefined, body: 'x' }, 'VALIDATION_FAILED', ['to: is required and must be a string']],
    ['a recipient that is no string', { to: 15_550_100_200, body: 'x' }, 'VALIDATION_FAILED', ['to: must be a string']],
    [
      'a recipient of another form',
      { to: '15550100200', body: 'x' },
      'INVALID_RECIPIENT',
      [expect.stringMatching(/^to: must be \+<E.164 number>/) as string],
    ],
    ['a long body', { body: 'x'.repeat(1601) }, 'BODY_TOO_LONG', [expect.stringMatching(/^body: must be at most 1600/) as string]],
    ['an empty body', { body: '' }, 'VALIDATION_FAILED', ['body: must not be empty']],
    ['a NUL', { body: 'a\0' }, 'VALIDATION_FAILED', ['body: must not contain NUL or lone surrogates']],
    ['a lone surrogate', { body: 'a\ud83d' }, 'VALIDATION_FAILED', ['body: must not contain NUL or lone surrogates']],
    [
      'null for an absent property',
      { body: 'x', campaign: null },
      'VALIDATION_FAILED',
      ['campaign: must be a string: leave it out instead of giving null'],
    ],
    ['a malformed template id', { contentSid: 'HX123' }, 'VALIDATION_FAILED', ['contentSid: must be HX followed by 32 hexadecimal digits']],
    [
      'a media URL of another scheme',
      { mediaUrl: 'ftp://example.com/a' },
      'VALIDATION_FAILED',
      ['mediaUrl: must be an http or https URL that Twilio can fetch, without spaces'],
    ],
    ['an unknown priority', { body: 'x', priority: 'urgent' }, 'VALIDATION_FAILED', ['priority: must be one of transactional, bulk']],
    [
      'an unknown category',
      { body: 'x', category: 'spam' },
      'VALIDATION_FAILED',
      ['category: must be one of marketing, utility, authentication, service'],
    ],
    ['a long sender', { body: 'x', from: 'x'.repeat(65) }, 'VALIDATION_FAILED', ['from: must be at most 64 characters']],
    ['a long campaign', { body: 'x', campaign: 'x'.repeat(129) }, 'VALIDATION_FAILED', ['campaign: must be at most 128 characters']],
    [
      'a bad variable',
      { contentSid: TEMPLATE, contentVariables: { name: 'a\tb' } },
      'VALIDATION_FAILED',
      [expect.stringMatching(/^contentVariables.name: must not contain a newline/) as string],
    ],
    ['bad metadata', { body: 'x', metadata: { a: 1 } }, 'VALIDATION_FAILED', ['metadata.a: must be a string']],
    ['a choice for unknown outcomes', { body: 'x', onUnknown: 'drop' }, 'VALIDATION_FAILED', ['onUnknown: must be one of hold, resend']],
    ['a body of white space', { body: ' \n\t' }, 'VALIDATION_FAILED', ['body: must hold more than white space']],
    ['no content', {}, 'VALIDATION_FAILED', [`: ${CONTENT}`]],
    ['text and template', { body: 'x', contentSid: TEMPLATE }, 'VALIDATION_FAILED', [`: ${CONTENT}`]],
    ['media and template', { mediaUrl: 'https://example.com/a', contentSid: TEMPLATE }, 'VALIDATION_FAILED', [`: ${CONTENT}`]],
    [
      'variables without template',
      { body: 'x', contentVariables: { 1: 'a' } },
      'VALIDATION_FAILED',
      ['contentVariables: needs contentSid beside it'],
    ],
    [
      'unknown properties',
      { body: 'x', text: 'y', Body: 'z' },
      'VALIDATION_FAILED',
      ['text: is not a known property: leave it out', 'Body: is not a known property: leave it out'],
    ],
  ])('names %s', (_label, input, code, problems) => {
    expect(refusalOf({ to: TO, ...input })).toEqual({ code, problems });
  });

  it.each([
    null,
    '',
    'tomorrow',
    1_900_000_000,
    '2030-01-31',
    '2030-01-31T09:00:00',
    '2030-02-30T09:00:00Z',
    '2030-01-31T24:00:00Z',
    '2030-01-31T09:00:00+0100',
    '2030-01-31 09:00:00Z',
    '+012030-01-31T09:00:00Z',
  ])('says how to write a time when sendAt is %j', (sendAt) => {
    expect(refusalOf({ to: TO, body: 'x', sendAt })).toEqual({
      code: 'VALIDATION_FAILED',
      problems: ['sendAt: must be a date and time in ISO 8601 with its offset, such as YYYY-MM-DDT09:00:00+01:00'],
    });
  });

  it('says that a time is too far ahead, also beside other problems', () => {
    const sendAt = '2030-02-05T00:00:00.001Z';
    expect(refusalOf({ to: TO, body: 'x', sendAt })).toEqual({
      code: 'VALIDATION_FAILED',
      problems: ['sendAt: must be at most 35 days ahead'],
    });
    expect(refusalOf({ to: 'x', body: 'x', sendAt: '2031-01-01T00:00:00Z' })).toEqual({
      code: 'INVALID_RECIPIENT',
      problems: [expect.stringMatching(/^to: /), 'sendAt: must be at most 35 days ahead'],
    });
  });

  it.each([0, -1, 36_001, 1.5, '60', null, Infinity])('says how long a validity may be when it is %j', (validityPeriod) => {
    expect(refusalOf({ to: TO, body: 'x', validityPeriod })).toEqual({
      code: 'VALIDATION_FAILED',
      problems: [expect.stringMatching(/^validityPeriod: must be (from 1 to 36000|a whole number of) seconds/)],
    });
  });

  it.each([undefined, null, [], 'x', 5, true])('names %j as no object', (input) => {
    expect(refusalOf(input)).toEqual({ code: 'VALIDATION_FAILED', problems: [': must be an object'] });
  });

  it('names all problems at once, also those between properties, with the code of the first that has one', () => {
    expect(refusalOf({ to: 'x', body: 'y'.repeat(2000), contentSid: TEMPLATE, contentVariables: 'z', zzz: 1 })).toEqual({
      code: 'INVALID_RECIPIENT',
      problems: [
        expect.stringMatching(/^to: /),
        expect.stringMatching(/^body: /),
        expect.stringMatching(/^contentVariables: /),
        expect.stringMatching(/^zzz: /),
        `: ${CONTENT}`,
      ],
    });
    expect(refusalOf({ body: 'y'.repeat(2000), priority: 5 })).toMatchObject({ code: 'BODY_TOO_LONG', problems: { length: 3 } });
  });

  it.each(['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'])(
    'names the property %s as unknown and pollutes nothing',
    (name) => {
      const input: unknown = JSON.parse(`{"to":"${TO}","body":"x",${JSON.stringify(name)}:{"polluted":"yes"}}`);
      expect(refusalOf(input)).toEqual({ code: 'VALIDATION_FAILED', problems: [`${name}: is not a known property: leave it out`] });
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  );

  it('is not answered with more than was asked: 50 problems, 200 characters of a path', () => {
    const unknowns = Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`unknown${index}`, 1]));
    expect(refusalOf({ to: TO, body: 'x', ...unknowns }).problems).toHaveLength(50);
    const result = validateMessageRequest({ to: TO, body: 'x', [`${'x'.repeat(199)}😀${'x'.repeat(1000)}`]: 1 }, NOW);
    const paths = result.ok ? [] : result.problems.map(({ path }) => path);
    expect(paths).toEqual([`${'x'.repeat(199)}\ufffd`]);
  });

  it('never repeats a value, which may be a phone or a text', () => {
    const secret = 'SECRET5550100';
    const input = { to: secret, from: { secret }, body: [secret], contentSid: secret, contentVariables: secret, mediaUrl: secret };
    const later = { sendAt: secret, validityPeriod: secret, onUnknown: secret };
    const more = { priority: secret, category: secret, campaign: { secret }, metadata: secret, ...later };
    expect(JSON.stringify(refusalOf({ ...input, ...more }))).not.toContain(secret);
  });
});

describe('validateMessageRequest', () => {
  const odd = fc.anything({
    withNullPrototype: true,
    withBigInt: true,
    withDate: true,
    withMap: true,
    withSparseArray: true,
    withObjectString: true,
  });
  const nearly = fc.record(
    {
      to: fc.oneof(fc.constant(TO), fc.string({ unit: 'binary' }), odd),
      from: fc.oneof(fc.string({ unit: 'binary' }), odd),
      body: fc.oneof(fc.string({ unit: 'binary' }), odd),
      contentSid: fc.oneof(fc.constant(TEMPLATE), odd),
      contentVariables: fc.oneof(fc.dictionary(fc.string(), fc.string({ unit: 'binary' })), fc.json(), odd),
      mediaUrl: fc.oneof(fc.webUrl(), fc.string({ unit: 'binary' }), odd),
      priority: fc.oneof(fc.constantFrom(...PRIORITIES), odd),
      sendAt: fc.oneof(fc.date({ noInvalidDate: true }).map(String), fc.constant('2030-01-01T00:00:00Z'), odd),
      validityPeriod: fc.oneof(fc.integer(), odd),
      metadata: fc.oneof(fc.dictionary(fc.string(), fc.string()), odd),
    },
    { requiredKeys: [] },
  );

  it('never throws and answers by its own rules, whatever it is given', () => {
    fc.assert(
      fc.property(fc.oneof(odd, fc.jsonValue(), nearly), (input) => {
        const result = validateMessageRequest(input, NOW);
        expect(result.ok ? result.request.to.startsWith('whatsapp:') : result.problems.length > 0).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('accepts nothing that PostgreSQL would refuse', () => {
    const name = fc.string({ unit: 'binary', maxLength: 5 });
    const value = fc.oneof(fc.string({ unit: 'binary', maxLength: 5 }), fc.constantFrom('\0', '\ud800', '\udc00', 'a\0b', 'x\ud83d'));
    const request = fc.record({
      to: fc.constant(TO),
      body: value,
      campaign: value,
      from: value,
      metadata: fc.dictionary(fc.oneof(name, value), value),
    });
    fc.assert(
      fc.property(request, (input) => {
        const result = validateMessageRequest(input, NOW);
        expect(result.ok ? JSON.stringify(result.request) : '').not.toMatch(/\\u0000|\\ud[89a-f]/);
      }),
      { numRuns: 400 },
    );
  });

  it('gives back a request that it accepts again unchanged', () => {
    const asked = {
      to: TO,
      contentSid: TEMPLATE,
      contentVariables: '{"1":"Ann"}',
      metadata: { a: 'b' },
      sendAt: '2030-01-02T00:00:00+02:00',
    };
    const result = validateMessageRequest(asked, NOW);
    expect(result.ok && validateMessageRequest(result.request, NOW)).toEqual(result);
  });
});
