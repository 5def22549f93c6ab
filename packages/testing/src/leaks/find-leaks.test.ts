import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testRedis } from '../fixtures/test-redis.ts';
import { testFolder } from '../fixtures/test-folder.ts';
import { findLeaks } from './find-leaks.ts';
import { createRunMarks, needlesFor } from './needles.ts';

// Marks of its own: what is planted here is no leak of this run.
const marks = createRunMarks();
const needles = needlesFor(marks);
const phone = `${marks.phonePrefix}1234`;

describe('a text', () => {
  const leaking: [string, string, string][] = [
    ['a phone number with its plus sign', `to whatsapp:+${phone}`, 'phone'],
    ['a phone number without its plus sign', `{"to":"${phone}"}`, 'phone'],
    ['a phone number without its country code', `(${phone.slice(1)})`, 'phone'],
    ['a phone number in a form', `To=whatsapp%3A%2B${phone}&From=x`, 'phone'],
    ['a phone number in escaped JSON', String.raw`"\u002b${phone}"`, 'phone'],
    ['a body', `Hello ${marks.body}!`, 'body'],
    ['a token', `?token=${marks.token}ff00`, 'token'],
    ['a token in capitals', marks.token.toUpperCase(), 'token'],
    ['an API key', `Bearer key${marks.apiKey}00`, 'API key'],
    ...[0, 1, 2].map((offset): [string, string, string] => [
      `a token in Basic authentication at offset ${offset}`,
      `Basic ${Buffer.from(`${'AC'.padEnd(3 + offset, '0')}:${marks.token}ab`).toString('base64')}`,
      'token',
    ]),
  ];
  test.each(leaking)('with %s is found', async (_, line, what) => {
    expect(await findLeaks({ needles, files: [fileWith(line)] })).toEqual([{ what, where: expect.stringMatching(/:2$/) }]);
  });

  test.each([
    ['a masked number', `+${marks.phonePrefix}****`],
    ['the digits inside a longer number', `17${phone}`],
    ['the digits inside a hash', `a${phone}`],
    ["another run's number", '+14155550123'],
    ['a part of a marker', marks.body.slice(1)],
  ])('with %s is clean', async (_, line) => {
    expect(await findLeaks({ needles, files: [fileWith(line)] })).toEqual([]);
  });
});

test('folders are searched to the bottom, compressed files too, and the secret in a name is blacked out', async () => {
  const folder = testFolder('planted');
  mkdirSync(join(folder, 'a/b'), { recursive: true });
  writeFileSync(join(folder, `a/b/${marks.body}.gz`), gzipSync(`x\ny ${marks.body}`));
  expect(await findLeaks({ needles, files: [folder] })).toEqual([{ what: 'body', where: join(folder, 'a/b/[body].gz:2') }]);
});

test('a leak that two reads cut in half is found', async () => {
  const file = join(testFolder('planted'), 'long.log');
  writeFileSync(file, `${'x'.repeat(65_536 - 5)}${marks.body}`);
  expect(await findLeaks({ needles, files: [file] })).toHaveLength(1);
});

test('a file that cannot be read fails the search', async () => {
  await expect(findLeaks({ needles, files: [join(testFolder('planted'), 'absent.log')] })).rejects.toThrow('ENOENT');
});

describe('Redis', () => {
  const { redisUrl, base } = testRedis();
  const redis = new Redis(redisUrl, { lazyConnect: true });
  const inOtherDatabase = new Redis(redisUrl, { lazyConnect: true, db: 201 });
  beforeAll(() => Promise.all([redis.connect(), inOtherDatabase.connect()]));
  afterAll(() => Promise.all([redis.quit(), inOtherDatabase.quit()]));

  const plants: [string, (key: string, secret: string) => Promise<unknown>][] = [
    ['string', (key, secret) => redis.set(key, secret)],
    ['hash', (key, secret) => redis.hset(key, 'data', secret)],
    ['hash', (key, secret) => redis.hset(key, secret, 'data')],
    ['list', (key, secret) => redis.rpush(key, 'a', secret)],
    ['set', (key, secret) => redis.sadd(key, secret)],
    ['zset', (key, secret) => redis.zadd(key, 1, secret)],
    ['stream', (key, secret) => redis.xadd(key, '*', 'field', secret)],
  ];
  test.each(plants)('a leak in a %s is found', async (type, plant) => {
    const key = `${base}:planted`;
    await plant(key, `{"body":"${marks.body}"}`);
    const findings = await findLeaks({ needles, redisUrl });
    await redis.del(key);
    expect(findings).toEqual([{ what: 'body', where: `redis database 0, ${type} "${key}"` }]);
  });

  test('a leak in the name of a key is found and blacked out', async () => {
    const key = `${base}:+${phone}`;
    await redis.set(key, '1');
    const findings = await findLeaks({ needles, redisUrl });
    await redis.del(key);
    expect(findings).toEqual([{ what: 'phone', where: `redis database 0, string "${base}:[phone]"` }]);
  });

  test('a leak in another database is found', async () => {
    await inOtherDatabase.set(base, marks.token);
    const findings = await findLeaks({ needles, redisUrl });
    await inOtherDatabase.del(base);
    expect(findings).toEqual([{ what: 'token', where: `redis database 201, string "${base}"` }]);
  });

  test('a Redis that does not answer fails the search', async () => {
    await expect(findLeaks({ needles, redisUrl: 'redis://127.0.0.1:1' })).rejects.toThrow('closed');
  });
});

function fileWith(line: string): string {
  const file = join(testFolder('planted'), 'app.log');
  writeFileSync(file, `first\n${line}\nlast\n`);
  return file;
}
