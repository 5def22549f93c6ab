import { signRequest, verifySignature } from './signature.ts';
import { parse } from 'node:querystring';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasTooManyParameters, parseForm, readText, readWhole } from './form.ts';

const entries = (text: string) => Object.entries(parseForm(text));

describe('parseForm', () => {
  test.each([
    ['an empty body has no parameters', '', []],
    ['plus and percent-encoding are decoded', 'Body=a+b%20c%2Bd', [['Body', 'a b c+d']]],
    [
      'empty values and missing values are kept',
      'ErrorCode=&Flag',
      [
        ['ErrorCode', ''],
        ['Flag', ''],
      ],
    ],
    ['an empty name is kept', '=x', [['', 'x']]],
    [
      'repeated keys are kept in order',
      'a=2&b=0&a=1&a=2',
      [
        ['a', ['2', '1', '2']],
        ['b', '0'],
      ],
    ],
    ['nothing is trimmed', 'Body=%20x%0A', [['Body', ' x\n']]],
    [
      'brackets have no meaning',
      'a[b]=1&a%5Bc%5D=2',
      [
        ['a[b]', '1'],
        ['a[c]', '2'],
      ],
    ],
    [
      'broken percent-encoding stays as it is',
      'a=%zz&b=%4',
      [
        ['a', '%zz'],
        ['b', '%4'],
      ],
    ],
    ['what is no UTF-8 becomes the replacement character', 'a=%FF', [['a', '\uFFFD']]],
    ['broken percent-encoding leaves the rest of its text alone', 'a=ä%zz%C3%A4%ff', [['a', 'ä%zzä\uFFFD']]],
    ['only the first equals sign separates', 'a=b=c', [['a', 'b=c']]],
  ])('%s', (_name, body, expected) => {
    expect(entries(body)).toEqual(expected);
  });

  test('names of object internals are ordinary parameters', () => {
    const params = parseForm('__proto__=1&constructor=2&hasOwnProperty=3');
    expect(Object.keys(params)).toEqual(['__proto__', 'constructor', 'hasOwnProperty']);
    expect(parseForm('')['constructor']).toBeUndefined();
    expect(parseForm('')['__proto__']).toBeUndefined();
    expect(parseForm('__proto__=1&__proto__=2')['__proto__']).toEqual(['1', '2']);
  });

  test('1,000 parameters are read, and of more it is told', () => {
    const form = (count: number) => Buffer.from(Array.from({ length: count }, (_, index) => `p${index}=1&`).join('&'));
    expect(Object.keys(parseForm(form(1_000)))).toHaveLength(1_000);
    expect(Object.keys(parseForm(form(1_001)))).toHaveLength(1_000);
    expect([1, 1_000, 1_001].map((count) => hasTooManyParameters(form(count)))).toEqual([false, false, true]);
  });

  test('any form comes back as it was written', () => {
    const wellFormed = fc.string({ unit: 'binary', maxLength: 8 });
    fc.assert(
      fc.property(fc.array(fc.tuple(wellFormed, wellFormed), { maxLength: 8 }), (pairs) => {
        const expected: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
        for (const [name, value] of pairs) (expected[name] ??= []).push(value);
        const parsed = parseForm(Buffer.from(new URLSearchParams(pairs).toString()));
        expect(Object.keys(parsed).toSorted()).toEqual(Object.keys(expected).toSorted());
        for (const name of Object.keys(parsed)) expect([parsed[name]].flat()).toEqual(expected[name]);
      }),
    );
  });

  test('any bytes are taken without throwing, and only well-formed text comes out', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const parsed = parseForm(Buffer.from(bytes));
        expect(
          Object.entries(parsed)
            .flat(2)
            .every((text) => text.isWellFormed()),
        ).toBe(true);
      }),
    );
  });

  test("any ASCII text, as forms are, is read as Node's own parser reads it", () => {
    const piece = fc.constantFrom('a', 'b', '=', '&', '+', '%20', '%zz', '%C3%A4', '%C3', '[0]', '', '__proto__');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        expect(parseForm(pieces.join(''))).toEqual(parse(pieces.join('')));
      }),
    );
  });

  test('more than 1,000 parameters are cut off, so that such a body fails its signature', () => {
    const body = Array.from({ length: 5_000 }, (_, index) => `p${index}=1`).join('&');
    expect(Object.keys(parseForm(body))).toHaveLength(1_000);
    const url = 'https://example.com/webhooks/twilio/status';
    const all = Object.fromEntries(new URLSearchParams(body));
    const signature = signRequest({ token: 'token', url, params: all });
    expect(verifySignature({ tokens: ['token'], url, params: parseForm(body), signature }).valid).toBe(false);
  });
});

describe('readText', () => {
  test.each([
    ['an absent parameter is null', {}, null],
    ['an empty parameter is null', { a: '' }, null],
    ['the first of a repeated parameter counts', { a: ['1', '2'] }, '1'],
    ['NUL is removed', { a: 'x\0y' }, 'xy'],
    ['a text of NULs is null', { a: '\0' }, null],
    ['a lone surrogate is replaced', { a: 'x\uD800' }, 'x\uFFFD'],
    ['a long text is cut', { a: 'abcdef' }, 'abcd'],
    ['a cut never divides a character', { a: 'abc😀' }, 'abc'],
  ])('%s', (_name, params, expected) => {
    expect(readText(params, 'a', 4)).toBe(expected);
  });

  test('an identifier that is too long is null instead of half of it', () => {
    expect(readWhole({ a: 'abcd' }, 'a', 4)).toBe('abcd');
    expect(readWhole({ a: 'abcde' }, 'a', 4)).toBeNull();
  });
});
