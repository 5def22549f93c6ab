import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { testFolder } from '../fixtures/test-folder.ts';
import { findRedis, redisOnPath } from './find-redis.ts';
import { hasDebianTools } from './debian-packages.ts';
import { isUsableRedis, type RedisProgram } from './redis-program.ts';
import { cacheFolder } from './repository.ts';
import { unpackedRedis } from './unpacked-redis.ts';

const elsewhere: RedisProgram = { command: () => ({ program: 'docker', args: [] }) };

describe('on PATH', () => {
  test.each([
    ['redis-server', 'Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64'],
    ['valkey-server', 'Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64'],
  ])('a %s that is new enough is used', (name, version) => {
    const path = folderWith(name, version);
    const found = redisOnPath(`/nonexistent:${path}`);
    expect(typeof found === 'string' ? found : found.command([], '', 0).program).toBe(join(path, name));
  });

  test('a Redis before version 7 is passed over', () => {
    expect(redisOnPath(folderWith('redis-server', 'Redis server v=6.0.16 sha=00000000:0'))).toMatch(/^no redis-server/);
  });

  test('a program that does not run is passed over', () => {
    const path = folderWith('redis-server', '');
    chmodSync(join(path, 'redis-server'), 0o644);
    expect(redisOnPath(path)).toMatch(/^no redis-server/);
  });
});

test("without a Redis on PATH the distribution's package runs, without being installed", async () => {
  const found = await findRedis({ ways: [() => redisOnPath(''), () => unpackedRedis(join(cacheFolder, 'redis')), () => elsewhere] });
  // On other systems than Debian and Ubuntu the search goes on.
  expect(found === elsewhere).toBe(!hasDebianTools());
  const { program, env } = found.command([], '', 0);
  expect(program.startsWith(cacheFolder) && isUsableRedis(program, env)).toBe(hasDebianTools());
});

test('without any Redis the message says the three ways out and what was tried', async () => {
  const search = findRedis({ ways: [() => redisOnPath(''), () => 'no package', () => Promise.resolve('no Docker')] });
  await expect(search).rejects.toThrow(/install Redis 7[^]*start Docker[^]*set REDIS_URL[^]*is on PATH[^]*no package[^]*no Docker/);
});

function folderWith(name: string, version: string): string {
  const folder = testFolder('path');
  writeFileSync(join(folder, name), `#!/bin/sh\necho '${version}'\n`, { mode: 0o755 });
  return folder;
}
