import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { signRequest, verifySignature } from './signature.ts';

const STATUS_CALLBACK = {
  name: 'a status callback with an empty parameter',
  url: 'https://example.com/status?m=1',
  params: { MessageSid: 'SM1', MessageStatus: 'sent', ErrorCode: '' },
  signature: 'Xme9yfVy+58lT4jOBmUKKYm0TwM=',
};

/** Twilio's own example, and one with an empty value (https://www.twilio.com/docs/usage/webhooks/webhooks-security). */
const VECTORS = [
  {
    name: "Twilio's documented example",
    url: 'https://example.com/myapp.php?foo=1&bar=2',
    params: { CallSid: 'CA1234567890ABCDE', Caller: '+14158675310', Digits: '1234', From: '+14158675310', To: '+18005551212' },
    signature: 'L/OH5YylLD5NRKLltdqwSvS0BnU=',
  },
  STATUS_CALLBACK,
  {
    name: 'a JSON body, whose hash stands in the URL',
    url: 'https://example.com/myapp?bodySHA256=5ccde7145dfb8f56479710896586cb9d5911809d83afbe34627818790db0aec9',
    params: {},
    signature: 'hPXmLwIy3Fgqv1i9KPmH/HhQ6zo=',
  },
];
const TOKEN = '12345';

describe('vectors', () => {
  test.each(VECTORS)('$name is signed and accepted', ({ url, params, signature }) => {
    expect(signRequest({ token: TOKEN, url, params })).toBe(signature);
    expect(verifySignature({ tokens: [TOKEN], url, params, signature })).toEqual({ valid: true, tokenIndex: 0 });
  });
});

const { url, params, signature } = STATUS_CALLBACK;

describe('the token list', () => {
  test('tells which token signed', () => {
    expect(verifySignature({ tokens: ['other', TOKEN], url, params, signature })).toEqual({ valid: true, tokenIndex: 1 });
    expect(verifySignature({ tokens: [TOKEN, 'other'], url, params, signature })).toEqual({ valid: true, tokenIndex: 0 });
  });

  test.each([[[]], [['other']], [['']], [['', 'other']]])('%j accepts nothing', (tokens) => {
    expect(verifySignature({ tokens, url, params, signature })).toEqual({ valid: false });
  });

  test('an empty token never verifies, even what was signed with it', () => {
    const forged = signRequest({ token: '', url, params });
    expect(verifySignature({ tokens: [''], url, params, signature: forged })).toEqual({ valid: false });
  });
});

describe('the URL', () => {
  test.each([
    ['the default port added', 'https://example.com:443/status?m=1'],
    ['the host in capitals', 'https://EXAMPLE.com/status?m=1'],
  ])('%s is the same URL', (_name, received) => {
    expect(verifySignature({ tokens: [TOKEN], url: received, params, signature }).valid).toBe(true);
  });

  test.each([
    ['another scheme', 'http://example.com/status?m=1'],
    ['a slash at the end', 'https://example.com/status/?m=1'],
    ['another query', 'https://example.com/status?m=2'],
    ['no query', 'https://example.com/status'],
    ['another host', 'https://example.org/status?m=1'],
    ['a fragment', 'https://example.com/status?m=1#rc=5'],
    ['no URL at all', '/status?m=1'],
    ['nothing', ''],
  ])('%s is refused without throwing', (_name, received) => {
    expect(verifySignature({ tokens: [TOKEN], url: received, params, signature })).toEqual({ valid: false });
  });

  test('fragment and user information are not signed', () => {
    expect(signRequest({ token: TOKEN, url: 'https://user:secret@example.com/status?m=1#rc=5&rp=ct', params })).toBe(signature);
  });

  test('a port other than the default one is signed and accepted', () => {
    const local = 'http://127.0.0.1:3000/status?m=1';
    expect(
      verifySignature({ tokens: [TOKEN], url: local, params, signature: signRequest({ token: TOKEN, url: local, params }) }).valid,
    ).toBe(true);
  });
});

describe('the header', () => {
  test.each([
    [undefined],
    [''],
    ['x'],
    ['='.repeat(28)],
    [`${signature} `],
    [signature.toLowerCase()],
    [signature.repeat(2)],
    ['é'.repeat(28)],
  ])('%j is refused', (header) => {
    expect(verifySignature({ tokens: [TOKEN], url, params, signature: header })).toEqual({ valid: false });
  });
});

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const request = fc.record({
  token: fc.string({ minLength: 1, maxLength: 32 }),
  path: fc.webPath(),
  params: fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), fc.oneof(text, fc.array(text, { minLength: 2, maxLength: 3 })), {
    maxKeys: 8,
  }),
});

describe('properties', () => {
  test('what is signed is accepted, and repeated parameters are covered', () => {
    fc.assert(
      fc.property(request, (one) => {
        const signed = { url: `https://example.com${one.path}?m=1&a=2`, params: one.params };
        expect(
          verifySignature({ ...signed, tokens: ['other', one.token], signature: signRequest({ ...signed, token: one.token }) }),
        ).toEqual(one.token === 'other' ? { valid: true, tokenIndex: 0 } : { valid: true, tokenIndex: 1 });
      }),
    );
  });

  test('any flipped bit of the signature is refused', () => {
    fc.assert(
      fc.property(request, fc.nat({ max: 27 }), fc.nat({ max: 6 }), (one, position, bit) => {
        const signed = { url: `https://example.com${one.path}`, params: one.params };
        const bytes = Buffer.from(signRequest({ ...signed, token: one.token }));
        bytes.writeUInt8(bytes.readUInt8(position) ^ (1 << bit), position);
        expect(verifySignature({ ...signed, tokens: [one.token], signature: bytes.toString('latin1') }).valid).toBe(false);
      }),
    );
  });

  test('any changed, added or removed parameter is refused', () => {
    fc.assert(
      fc.property(request, fc.string({ minLength: 1, maxLength: 8 }), text, (one, name, value) => {
        const target = 'https://example.com/status';
        const given = signRequest({ token: one.token, url: target, params: one.params });
        const verify = (changed: typeof one.params) =>
          verifySignature({ tokens: [one.token], url: target, params: changed, signature: given }).valid;
        // Equal values of a repeated parameter count once, for Twilio's SDK and so for us.
        const before = new Set([one.params[name] ?? []].flat());
        const unchanged = before.size === 1 && before.has(value);
        expect(verify({ ...one.params, [name]: value })).toBe(unchanged);
        for (const removed of Object.keys(one.params)) {
          expect(verify(Object.fromEntries(Object.entries(one.params).filter(([kept]) => kept !== removed)))).toBe(false);
        }
      }),
    );
  });

  test('any flipped character of the path is refused', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'abcdefgh0123456789-_/'.split('')), minLength: 1, maxLength: 30 }),
        fc.nat(),
        fc.constantFrom('z', 'Z', '.', '~'),
        (path, at, other) => {
          const position = at % path.length;
          const changed = path.slice(0, position) + other + path.slice(position + 1);
          const forged = signRequest({ token: TOKEN, url: `https://example.com/a${path}`, params });
          expect(verifySignature({ tokens: [TOKEN], url: `https://example.com/a${changed}`, params, signature: forged }).valid).toBe(false);
        },
      ),
    );
  });

  test('any other token is refused', () => {
    fc.assert(
      fc.property(request, fc.string({ minLength: 1 }), (one, other) => {
        fc.pre(other !== one.token);
        const signed = { url: `https://example.com${one.path}`, params: one.params };
        expect(verifySignature({ ...signed, tokens: [other], signature: signRequest({ ...signed, token: one.token }) }).valid).toBe(false);
      }),
    );
  });
});
