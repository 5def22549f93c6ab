import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { bodySchema, contentVariablesSchema, mediaUrlSchema, metadataSchema, recipientSchema, text } from './message-fields.ts';

/** The messages of a refusal with their paths, or the accepted value. */
function check(schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}

const UNSTORABLE = ['a\0', '\0', 'a\ud800', '\udc00b', '\udc00\ud800'];

describe('a text', () => {
  it.each(['a', 'x'.repeat(5), ' ', 'é', '😀'])('may be "%s"', (value) => {
    expect(check(text(5), value)).toBe(value);
  });

  it.each([
    ['', [': must not be empty']],
    ['x'.repeat(6), [': must be at most 5 characters']],
    [undefined, [': is required and must be a string']],
    [null, [': must be a string: leave it out instead of giving null']],
    [5, [': must be a string']],
    [['a'], [': must be a string']],
  ])('%j is refused', (value, problems) => {
    expect(check(text(5), value)).toEqual(problems);
  });

  it.each(UNSTORABLE)('%j is refused, because no store takes it', (value) => {
    expect(check(text(5), value)).toEqual([': must not contain NUL or lone surrogates']);
  });
});

describe('a recipient', () => {
  it('comes out in its stored form', () => {
    expect(check(recipientSchema, '+15550100200')).toBe('whatsapp:+15550100200');
  });

  it('is refused with a code of its own and without repeating it', () => {
    const parsed = recipientSchema.safeParse('+1 555 0100200');
    expect(parsed.error?.issues).toMatchObject([{ code: 'custom', params: { apiCode: 'INVALID_RECIPIENT' } }]);
    expect(parsed.error?.message).not.toContain('555');
  });
});

describe('a body', () => {
  const tooLong = [': must be at most 1600 characters: shorten it or send it as several messages'];

  it.each([
    ['1600 letters', 'x'.repeat(1600), true],
    ['1601 letters', 'x'.repeat(1601), false],
    ['1600 emoji, 3200 code units', '😀'.repeat(1600), true],
    ['1601 emoji', '😀'.repeat(1601), false],
    ['1599 emoji and a letter', `${'😀'.repeat(1599)}x`, true],
    ['an emoji and 1600 letters', `😀${'x'.repeat(1600)}`, false],
    ['1600 letters with three bytes', '√'.repeat(1600), true],
    ['a text far too long', 'x'.repeat(1_000_000), false],
  ])('counts code points: %s', (_label, body, accepted) => {
    expect(check(bodySchema, body)).toEqual(accepted ? body : tooLong);
  });

  it.each(UNSTORABLE)('%j is refused', (body) => {
    expect(check(bodySchema, body)).toEqual([': must not contain NUL or lone surrogates']);
  });

  it.each([' ', '\n', ' \t\u00a0'])('%j holds nothing to read and is refused', (body) => {
    expect(check(bodySchema, body)).toEqual([': must hold more than white space']);
  });

  it('may hold newlines and tabs', () => {
    expect(check(bodySchema, 'a\n\tb')).toBe('a\n\tb');
  });
});

describe('a media URL', () => {
  it.each([
    'https://example.com/a.jpg',
    'http://example.com/a',
    'HTTPS://EXAMPLE.COM/a',
    'https://u:p@example.com/a?b=c#d',
    'https://example.com/ü',
    'http://127.0.0.1:4010/x',
  ])('may be %s, kept as written', (url) => {
    expect(check(mediaUrlSchema, url)).toBe(url);
  });

  it.each([
    '',
    'a.jpg',
    '//example.com/a.jpg',
    'ftp://example.com/a.jpg',
    'file:///etc/passwd',
    'data:image/png;base64,AAAA',
    'javascript:alert(1)',
    'https:example.com',
    'https://',
    'https:// example.com',
    ' https://example.com/a',
    'https://example.com/a ',
    'https://example.com/a b',
    'https://exam\nple.com/a',
    'https://example.com/a\0',
    'https://example.com/\ud800',
    'https://[::1/',
  ])('may not be %j', (url) => {
    expect(check(mediaUrlSchema, url)).toEqual([': must be an http or https URL that Twilio can fetch, without spaces']);
  });

  it('has at most 2048 characters', () => {
    const url = 'https://example.com/'.padEnd(2048, 'a');
    expect(check(mediaUrlSchema, url)).toBe(url);
    expect(check(mediaUrlSchema, `${url}a`)).toEqual([': must be at most 2048 characters']);
  });
});

describe('content variables', () => {
  it.each([
    [
      { 1: 'Ann', name: 'x' },
      { 1: 'Ann', name: 'x' },
    ],
    ['{"1":"Ann"}', { 1: 'Ann' }],
    [' {"1" : "Ann"} ', { 1: 'Ann' }],
    [{}, {}],
    ['{}', {}],
    [{ 1: 'four    spaces' }, { 1: 'four    spaces' }],
    [{ constructor: 'a' }, { constructor: 'a' }],
  ])('%j are taken', (value, expected) => {
    expect(check(contentVariablesSchema, value)).toEqual(expected);
  });

  it.each([null, [], ['a'], 5, true, 'null', '[]', '"x"', '5', 'true', '', '{', "{'1':'a'}", '{"1":"a"}x'])(
    '%j are no object of strings, nor a JSON string of one',
    (value) => {
      expect(check(contentVariablesSchema, value)).toEqual([': must be an object of strings, or a JSON string of one']);
    },
  );

  const whitespace = '1: must not contain a newline, a tab or five spaces in a row: WhatsApp refuses them in template variables';
  it.each([
    [{ 1: 'a\nb' }, whitespace],
    [{ 1: 'a\rb' }, whitespace],
    [{ 1: 'a\tb' }, whitespace],
    [{ 1: 'five     spaces' }, whitespace],
    ['{"1":"a\\nb"}', whitespace],
    [{ 1: 5 }, '1: must be a string'],
    ['{"1":5}', '1: must be a string'],
    [{ 1: null }, '1: must be a string: leave it out instead of giving null'],
    [{ 1: { a: 'b' } }, '1: must be a string'],
    [{ 1: ['a'] }, '1: must be a string'],
    [{ 1: '' }, '1: must not be empty'],
    [{ 1: 'x'.repeat(1025) }, '1: must be at most 1024 characters'],
    [{ 1: 'a\0' }, '1: must not contain NUL or lone surrogates'],
  ])('%j are refused, and the variable is named', (value, problem) => {
    expect(check(contentVariablesSchema, value)).toEqual([problem]);
  });

  it('are at most 100', () => {
    const variables = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`v${index}`, 'x']));
    expect(check(contentVariablesSchema, variables(100))).toEqual(variables(100));
    expect(check(contentVariablesSchema, variables(101))).toEqual([': must have at most 100 variables']);
  });
});

describe('metadata', () => {
  const pairs = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`key${index}`, 'x']));

  it.each([{}, { a: 'b' }, { a: '' }, { a: 'x'.repeat(4000) }, { 'ключ 😀': 'a\nb' }, { constructor: 'a' }, pairs(20)])(
    '%j is taken',
    (value) => {
      expect(check(metadataSchema, value)).toEqual(value);
    },
  );

  it.each([
    [null, ': must be an object of strings'],
    ['{"a":"b"}', ': must be an object of strings'],
    [['a'], ': must be an object of strings'],
    [{ a: 1 }, 'a: must be a string'],
    [{ a: null }, 'a: must be a string: leave it out instead of giving null'],
    [{ a: {} }, 'a: must be a string'],
    [{ a: 'b\0' }, 'a: must not contain NUL or lone surrogates'],
    [pairs(21), ': must have at most 20 pairs'],
  ])('%j is refused', (value, problem) => {
    expect(check(metadataSchema, value)).toEqual([problem]);
  });

  it('has at most 4096 bytes of JSON, counted as UTF-8', () => {
    // {"a":"…"} takes 8 bytes around the value.
    expect(check(metadataSchema, { a: 'x'.repeat(4088) })).toEqual({ a: 'x'.repeat(4088) });
    expect(check(metadataSchema, { a: 'x'.repeat(4089) })).toEqual([': must be at most 4096 bytes of JSON']);
    expect(check(metadataSchema, { a: 'é'.repeat(2044) })).toEqual({ a: 'é'.repeat(2044) });
    expect(check(metadataSchema, { a: 'é'.repeat(2045) })).toEqual([': must be at most 4096 bytes of JSON']);
  });
});

describe('a name in content variables or metadata', () => {
  const problem = 'has an unusable name: 1 to 128 characters, no NUL or lone surrogates, not __proto__';

  it.each(['__proto__', '', 'a\0', '\ud800', 'x'.repeat(129)])('may not be %j: refused, never dropped', (name) => {
    const pairs: unknown = JSON.parse(`{"ok":"b",${JSON.stringify(name)}:"a"}`);
    for (const schema of [contentVariablesSchema, metadataSchema]) expect(check(schema, pairs)).toEqual([`${name}: ${problem}`]);
    expect(check(contentVariablesSchema, JSON.stringify(pairs))).toEqual([`${name}: ${problem}`]);
  });

  it('never changes the prototype of anything', () => {
    check(metadataSchema, JSON.parse('{"__proto__":{"polluted":"yes"},"constructor":"a"}'));
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});
