import { format, inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Secret } from './secret.ts';

test('a secret is revealed only by asking', () => {
  expect(new Secret('private').reveal()).toBe('private');
});

test('a secret that may change is asked for each time', () => {
  let value = 'old';
  const secret = new Secret(() => value);
  value = 'new';
  expect(secret.reveal()).toBe('new');
});

test.each([
  ['a string', (secret: Secret) => `${String(secret)} ${secret as unknown as string}`],
  ['JSON', (secret: Secret) => JSON.stringify({ secret })],
  ['an inspection', (secret: Secret) => inspect({ secret, list: [secret] }, { showHidden: true, depth: 9 })],
  ['a format', (secret: Secret) => format('%s %o %O %j', secret, secret, secret, secret)],
  ['an error', (secret: Secret) => new Error(`no ${secret as unknown as string}`).stack ?? ''],
  ['its properties', (secret: Secret) => JSON.stringify([Object.getOwnPropertyNames(secret), Object.values(secret)]) + '[redacted]'],
])('%s of a secret does not show it', (_what, show) => {
  const shown = show(new Secret('private'));
  expect(shown).not.toContain('private');
  expect(shown).toContain('[redacted]');
});
