import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { findDocker } from './docker-redis.ts';
import { REDIS_MAJOR_MIN, REDIS_PROGRAM_NAMES, isUsableRedis, type RedisProgram } from './redis-program.ts';
import { cacheFolder } from './repository.ts';
import { unpackedRedis } from './unpacked-redis.ts';

/**
 * A Redis or Valkey of version 7 or newer: the one on PATH, else the distribution's own package unpacked into `.cache/`,
 * else a container.
 *
 * @throws with the three ways out when this machine has none of them
 */
export async function findRedisProgram(onProgress?: (text: string) => void): Promise<RedisProgram> {
  const onPath = findOnPath();
  if (onPath) return onPath;
  const problems = [`no ${REDIS_PROGRAM_NAMES.join(' or ')} of version ${REDIS_MAJOR_MIN} or newer is on PATH`];
  try {
    return await unpackedRedis(join(cacheFolder, 'redis'), onProgress);
  } catch (error) {
    problems.push(`the distribution's package cannot be used: ${(error as Error).message}`);
  }
  const docker = findDocker();
  if (typeof docker !== 'string') return docker;
  problems.push(docker);
  throw new Error(
    `Redis is needed and was not found. One of these helps:\n` +
      `  1. install Redis ${REDIS_MAJOR_MIN} or newer (redis-server or valkey-server), so that it is on PATH;\n` +
      `  2. start Docker;\n` +
      `  3. set REDIS_URL to a running Redis.\n` +
      `What was tried:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
  );
}

function findOnPath(): RedisProgram | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter).filter(Boolean)) {
    for (const name of REDIS_PROGRAM_NAMES) {
      const program = join(folder, name);
      if (existsSync(program) && isUsableRedis(program)) return { command: (settings) => ({ program, args: settings }) };
    }
  }
  return null;
}
