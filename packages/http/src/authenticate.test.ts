import { createHash } from 'node:crypto';
import { randomApiKey } from '@tickmark/testing';
import { describe, expect, test } from 'vitest';
import { parseApiKeys, type ApiKey } from './api-keys.ts';
import { createAuthenticator } from './authenticate.ts';
import { ask, startServer } from './fixtures/start-server.ts';

const KEY = randomApiKey();
const entry = (name: string, key: string, rest = '') => `${name}:${createHash('sha256').update(key).digest('hex')}${rest}`;
const bearer = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } });

async function start(options: { keys: () => readonly ApiKey[]; rateLimitPerKey?: number; now?: () => Date }) {
  return startServer(async (server) => {
    const keys = await createAuthenticator(server, options);
    server.get('/send', { onRequest: keys.require('send') }, async ({ apiKey, producer }) => ({
      producer,
      scopes: apiKey?.scopes,
      aliases: apiKey?.aliases,
    }));
    server.get('/read', { onRequest: keys.require('read') }, async () => 'ok');
    server.get('/own', { onRequest: keys.require('read', 'send') }, async () => 'ok');
    server.get('/admin', { onRequest: keys.require('admin') }, async () => 'ok');
    server.get('/open', async ({ apiKey, producer }) => ({ apiKey, producer }));
  });
}

const keysOf = (...entries: string[]) => {
  const keys = parseApiKeys(entries.join(','));
  return () => keys;
};

describe('authentication', () => {
  test('a known key tells the handler who calls', async () => {
    const { url } = await start({ keys: keysOf(entry('other', 'x'), entry('shop', KEY, ':send:support')) });
    expect((await ask(`${url}/send`, bearer(KEY))).json).toEqual({ producer: 'shop', scopes: ['send'], aliases: ['support'] });
  });

  test('a route without a scope knows nobody and refuses nobody', async () => {
    const { url } = await start({ keys: keysOf(entry('shop', KEY)) });
    expect((await ask(`${url}/open`, bearer(KEY))).json).toEqual({ apiKey: null, producer: '' });
  });

  test.each([
    ['no header', {}],
    ['an unknown key', { Authorization: 'Bearer wrong' }],
    ['another scheme', { Authorization: `Basic ${KEY}` }],
    ['the bare key', { Authorization: KEY }],
    ['an empty key', { Authorization: 'Bearer ' }],
    ['two keys', { Authorization: `Bearer ${KEY} ${KEY}` }],
    ['the hash instead of the key', { Authorization: `Bearer ${createHash('sha256').update(KEY).digest('hex')}` }],
    ['an endless key', { Authorization: `Bearer ${KEY.repeat(100)}` }],
  ])('%s is 401 UNAUTHENTICATED', async (_name, headers) => {
    const { url } = await start({ keys: keysOf(entry('shop', KEY)) });
    const answer = await ask(`${url}/send`, { headers });
    expect(answer).toMatchObject({ status: 401, json: { error: { code: 'UNAUTHENTICATED' } } });
    expect(answer.headers.get('www-authenticate')).toBe('Bearer');
    expect(answer.text).not.toContain(KEY);
  });

  test('without any key everything is refused', async () => {
    const { url } = await start({ keys: () => [] });
    expect((await ask(`${url}/send`, bearer(''))).status).toBe(401);
  });

  test('keys may change while the server runs', async () => {
    let keys = parseApiKeys(entry('shop', 'old-key'));
    const { url } = await start({ keys: () => keys });
    expect((await ask(`${url}/send`, bearer('new-key'))).status).toBe(401);
    keys = parseApiKeys([entry('shop', 'old-key'), entry('shop', 'new-key')].join(','));
    expect((await ask(`${url}/send`, bearer('new-key'))).json).toMatchObject({ producer: 'shop' });
    expect((await ask(`${url}/send`, bearer('old-key'))).json).toMatchObject({ producer: 'shop' });
  });

  test('a key works on its last day in UTC and not on the next', async () => {
    let now = new Date('2026-12-31T23:59:59.999Z');
    const { url } = await start({ keys: keysOf(entry('shop', KEY, ':::2026-12-31')), now: () => now });
    expect((await ask(`${url}/send`, bearer(KEY))).status).toBe(200);
    now = new Date('2027-01-01T00:00:00.000Z');
    expect(await ask(`${url}/send`, bearer(KEY))).toMatchObject({ status: 401, json: { error: { message: /expired/ } } });
  });
});

describe('scopes', () => {
  test.each([
    ['send', { send: 200, read: 403, own: 200, admin: 403 }],
    ['read', { send: 403, read: 200, own: 200, admin: 403 }],
    ['admin', { send: 403, read: 403, own: 403, admin: 200 }],
    ['send+read+admin', { send: 200, read: 200, own: 200, admin: 200 }],
  ])('a key with %s reaches exactly its own routes', async (scopes, expected) => {
    const { url } = await start({ keys: keysOf(entry('shop', KEY, `:${scopes}`)) });
    for (const [path, status] of Object.entries(expected)) {
      const answer = await ask(`${url}/${path}`, bearer(KEY));
      expect([path, answer.status]).toEqual([path, status]);
      expect(answer.json?.error?.code).toBe(status === 403 ? 'FORBIDDEN_SCOPE' : undefined);
    }
  });
});

describe('rate', () => {
  const statuses = async (url: string, keys: string[]) => Promise.all(keys.map(async (key) => (await ask(url, bearer(key))).status));

  test('requests above the rate of a key name are 429 RATE_LIMITED with Retry-After, over all routes and keys of the name', async () => {
    const { url } = await start({
      keys: keysOf(entry('shop', 'old-key', ':send+read'), entry('shop', 'new-key', ':send+read'), entry('crm', 'crm-key')),
      rateLimitPerKey: 3,
    });
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        ask(`${url}/${index % 2 === 0 ? 'send' : 'read'}`, bearer(index % 3 === 0 ? 'old-key' : 'new-key')),
      ),
    );
    const refused = answers.filter(({ status }) => status === 429);
    // Twelve requests may fall into two windows of a second.
    expect(refused.length).toBeGreaterThanOrEqual(6);
    expect(refused[0]).toMatchObject({ json: { error: { code: 'RATE_LIMITED', message: /3 requests per second/ } } });
    expect(refused.map(({ headers }) => headers.get('retry-after'))).toEqual(refused.map(() => '1'));
    expect(await statuses(`${url}/send`, ['crm-key'])).toEqual([200]);
  });

  test('0 is no limit', async () => {
    const { url } = await start({ keys: keysOf(entry('shop', KEY)), rateLimitPerKey: 0 });
    expect(
      new Set(
        await statuses(
          `${url}/send`,
          Array.from({ length: 50 }, () => KEY),
        ),
      ),
    ).toEqual(new Set([200]));
  });

  test('who has no key does not use up the rate of those who have', async () => {
    const { url } = await start({ keys: keysOf(entry('shop', KEY)), rateLimitPerKey: 1 });
    await statuses(
      `${url}/send`,
      Array.from({ length: 10 }, () => 'wrong'),
    );
    expect(await statuses(`${url}/send`, [KEY])).toEqual([200]);
  });
});
