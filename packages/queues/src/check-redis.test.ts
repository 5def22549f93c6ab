import { freePort, startServices, testRedis, captureLogger } from '@tickmark/testing';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { checkRedis, judgeServer } from './check-redis.ts';

const { log } = captureLogger();

const info = (values: Record<string, string>) =>
  Object.entries({ redis_version: '7.0.15', maxmemory_policy: 'noeviction', aof_enabled: '1', ...values })
    .map(([name, value]) => `${name}:${value}\r\n`)
    .join('');

test.each([
  ['Redis 7.0', { redis_version: '7.0.0' }, true],
  ['Redis 8.2', { redis_version: '8.2.1' }, true],
  ['Redis 10.0', { redis_version: '10.0.0' }, true],
  ['Redis 6.2', { redis_version: '6.2.14' }, false],
  ['Valkey 8.1, which calls itself Redis 7.2.4,', { redis_version: '7.2.4', valkey_version: '8.1.0' }, true],
  ['a server that hides its version', { redis_version: '' }, false],
])('%s is judged by its version', (_name, values, ok) => {
  const check = judgeServer(info(values), 'always');
  const refusal = {
    ok: false,
    isAway: false,
    warnings: [],
    reason: expect.stringContaining('too old: use Redis 7.0, Valkey 7.2 or newer'),
  };
  expect(check).toEqual(ok ? { ok: true, warnings: [] } : refusal);
});

test('a server that evicts keys is refused', () => {
  expect(judgeServer(info({ maxmemory_policy: 'allkeys-lru' }), 'always')).toMatchObject({
    ok: false,
    reason: expect.stringContaining('noeviction'),
  });
});

test.each([
  ['AOF off', { aof_enabled: '0' }, 'always'],
  ['AOF once a second', {}, 'everysec'],
  ['an AOF setting that is not readable', {}, undefined],
])('%s is a warning, not a refusal', (_name, values, appendfsync) => {
  expect(judgeServer(info(values), appendfsync)).toEqual({ ok: true, warnings: [expect.stringContaining('appendfsync always')] });
});

test('the server of the tests is as it should be', async () => {
  expect(await checkRedis({ redisUrl: testRedis().redisUrl, log })).toEqual({ ok: true, warnings: [] });
});

test('the settings of a real server are read', async () => {
  const services = await startServices({ postgres: false });
  const admin = new Redis(services.redisUrl);
  try {
    await admin.config('SET', 'appendfsync', 'everysec');
    expect(await checkRedis({ redisUrl: services.redisUrl, log })).toEqual({ ok: true, warnings: [expect.stringContaining('everysec')] });
    await admin.config('SET', 'maxmemory-policy', 'volatile-lru');
    expect(await checkRedis({ redisUrl: services.redisUrl, log })).toMatchObject({
      ok: false,
      reason: expect.stringContaining('volatile-lru'),
    });
    await admin.call('ACL', 'SETUSER', 'hosted', 'on', 'nopass', '~*', '+@all', '-config');
    const hosted = services.redisUrl.replace('redis://', 'redis://hosted:any@');
    expect((await checkRedis({ redisUrl: hosted, log })).warnings).toEqual([expect.stringContaining('CONFIG is not allowed')]);
  } finally {
    admin.disconnect();
    await services.stop();
  }
});

test('a server that is not there is a reason within the deadline, not an exception', async () => {
  const startMs = performance.now();
  const check = await checkRedis({ redisUrl: `redis://127.0.0.1:${await freePort()}`, log, deadlineMs: 500 });
  expect(check).toMatchObject({ ok: false, reason: expect.stringContaining('ECONNREFUSED') });
  expect(performance.now() - startMs).toBeLessThan(2000);
});
