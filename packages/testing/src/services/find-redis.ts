import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { dockerRedis } from './docker-redis.ts';
import { REDIS_MAJOR_MIN, REDIS_PROGRAM_NAMES, isUsableRedis, type RedisProgram } from './redis-program.ts';
import { cacheFolder } from './repository.ts';
import { unpackedRedis } from './unpacked-redis.ts';

type OnProgress = (text: string) => void;
/** A Redis that can be started, or the sentence that says why there is none in this way. */
type Way = (onProgress?: OnProgress) => RedisProgram | string | Promise<RedisProgram | string>;

const WAYS: readonly Way[] = [
  () => redisOnPath(process.env['PATH'] ?? ''),
  (onProgress) => unpackedRedis(join(cacheFolder, 'redis'), onProgress),
  (onProgress) => dockerRedis(onProgress),
];

/**
 * A Redis or Valkey of version 7 or newer: the one on PATH, else the distribution's own package unpacked into `.cache/`,
 * else a container.
 *
 * @throws with the three ways out when this machine has none of them
 */
export async function findRedis(options: { onProgress?: OnProgress | undefined; ways?: readonly Way[] } = {}): Promise<RedisProgram> {
  const problems: string[] = [];
  for (const way of options.ways ?? WAYS) {
    const found = await way(options.onProgress);
    if (typeof found !== 'string') return found;
    problems.push(found);
  }
  throw new Error(
    `Redis is needed and was not found. One of these helps:\n` +
      `  1. install Redis ${REDIS_MAJOR_MIN} or newer (redis-server or valkey-server), so that it is on PATH;\n` +
      `  2. start Docker;\n` +
      `  3. set REDIS_URL to a running Redis.\n` +
      `What was tried:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
  );
}

export function redisOnPath(path: string): RedisProgram | string {
  for (const folder of path.split(delimiter).filter(Boolean)) {
    for (const name of REDIS_PROGRAM_NAMES) {
      const program = join(folder, name);
      if (existsSync(program) && isUsableRedis(program)) return { command: (settings) => ({ program, args: settings }) };
    }
  }
  return `no ${REDIS_PROGRAM_NAMES.join(' or ')} of version ${REDIS_MAJOR_MIN} or newer is on PATH`;
}
