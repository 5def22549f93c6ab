import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { parseApiKeys } from './api-keys.ts';

const hashOf = (key: string) => createHash('sha256').update(key).digest('hex');
const [A, B] = [hashOf('a'), hashOf('b')];

describe('parseApiKeys', () => {
  test('a name and a hash are a key that may send for every sender and never ends', () => {
    expect(parseApiKeys(`shop:${A}`)).toEqual([
      { name: 'shop', sha256: Buffer.from(A, 'hex'), scopes: ['send'], aliases: null, expiresOn: null },
    ]);
  });

  test('scopes, aliases and expiry are read, and may be left out in between', () => {
    expect(parseApiKeys(`ops:${A}:send+read+admin:support+sales:2027-01-31, crm:${B.toUpperCase()}:::2026-12-31`)).toMatchObject([
      { name: 'ops', scopes: ['send', 'read', 'admin'], aliases: ['support', 'sales'], expiresOn: '2027-01-31' },
      { name: 'crm', sha256: Buffer.from(B, 'hex'), scopes: ['send'], aliases: null, expiresOn: '2026-12-31' },
    ]);
  });

  test('one name may hold two keys, for a rotation', () => {
    expect(parseApiKeys(`shop:${A},shop:${B}`).map(({ name }) => name)).toEqual(['shop', 'shop']);
  });

  test.each(['', ' ', ',', `shop:${A},`])('empty entries of %j are passed over', (text) => {
    expect(() => parseApiKeys(text)).not.toThrow();
  });

  test.each([
    ['a name with other characters', `my shop:${A}`, /entry 1: the name/],
    ['no name', `:${A}`, /entry 1: the name/],
    ['a name under which the system derives ids', `external:${A}`, /entry 1: the name must not be "external"/],
    ['a key instead of its hash', 'shop:secretkey', /entry 1: the hash must be the SHA-256/],
    ['no hash', 'shop', /entry 1: the hash/],
    ['a scope that does not exist', `shop:${A}:write`, /entry 1: the scopes must be of send, read, admin/],
    ['a scope that is empty', `shop:${A}:send+`, /entry 1: the scopes/],
    ['an alias that cannot be one', `shop:${A}:send:No Alias`, /entry 1: the aliases/],
    ['an expiry that is no day', `shop:${A}:::tomorrow`, /entry 1: the expiry/],
    ['a day that no calendar has', `shop:${A}:::2026-02-30`, /entry 1: the expiry/],
    ['too many parts', `shop:${A}:send::2026-02-03:x`, /entry 1: there is more/],
    ['one key under two names', `shop:${A},crm:${A}`, /entry 2: has the same hash/],
  ])('%s is refused', (_name, text, message) => {
    expect(() => parseApiKeys(text)).toThrow(message);
  });

  test('all problems are told at once, with the form and without a word of the text', () => {
    const text = 'my-secret-key,shop:another-secret:write::soon';
    expect(() => parseApiKeys(text)).toThrow(
      /entry 1: the hash.*entry 2: the hash.*entry 2: the scopes.*entry 2: the expiry.*Write name:sha256hex/,
    );
    expect(() => parseApiKeys(text)).not.toThrow(/secret|soon|write/);
  });
});
