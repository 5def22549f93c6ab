import { withDeadline, type Logger } from '@tickmark/runtime';
import { ReplyError, type Redis } from 'ioredis';
import { connectProducer } from './connections.ts';
import { withoutPayload } from './errors.ts';
import { parseInfo } from './redis-info.ts';

/** `isAway`: it does not answer, which may pass; otherwise it is a server that nothing can be promised on. */
export type RedisCheck = { ok: true; warnings: string[] } | { ok: false; isAway: boolean; warnings: string[]; reason: string };

/** `SET … NX GET` needs Redis 7.0. Valkey began at 7.2 and names Redis 7.2.4 beside its own version ever since. */
const OLDEST = [7, 0] as const;

/**
 * Asks the server whether it is one that we can promise anything on: Redis 7.0 or Valkey 7.2, or newer, `noeviction`. AOF other than
 * `always` is a warning. Never rejects: an unreachable server is `ok: false` with the reason. For readiness; safe to repeat.
 */
export async function checkRedis(options: { redisUrl: string; log: Logger; deadlineMs?: number }): Promise<RedisCheck> {
  const { deadlineMs = 2000 } = options;
  const redis = connectProducer(options.redisUrl, { log: options.log, deadlineMs });
  try {
    return await withDeadline(
      whenReady(redis).then(() => checkServer(redis)),
      deadlineMs,
    );
  } catch (error) {
    return { ok: false, isAway: true, warnings: [], reason: `redis is not reachable: ${withoutPayload(error).message}` };
  } finally {
    redis.disconnect();
  }
}

/** The same over a connection that is there. Rejects when the server does not answer. */
export async function checkServer(redis: Redis): Promise<RedisCheck> {
  const [info, appendfsync] = await Promise.all([redis.info(), readAppendfsync(redis)]);
  return judgeServer(info, appendfsync);
}

/**
 * Judges a server by its INFO text.
 *
 * @param appendfsync undefined when it could not be read
 */
export function judgeServer(infoText: string, appendfsync: string | undefined): RedisCheck {
  const info = parseInfo(infoText);
  const version = info.get('redis_version') || 'of an unknown version';
  const warnings: string[] = [];
  const advice = 'set appendonly yes and appendfsync always, or a crash can lose what was accepted';
  if (info.get('aof_enabled') !== '1') warnings.push(`AOF is off: ${advice}`);
  else if (appendfsync !== 'always') warnings.push(`appendfsync is ${appendfsync ?? 'not readable (CONFIG is not allowed)'}: ${advice}`);

  if (!isAtLeast(version, OLDEST)) {
    return { ok: false, isAway: false, warnings, reason: `redis ${version} is too old: use Redis 7.0, Valkey 7.2 or newer` };
  }
  const policy = info.get('maxmemory_policy');
  if (policy === undefined) warnings.push('the eviction policy could not be read: make sure that maxmemory-policy is noeviction');
  else if (policy !== 'noeviction') {
    return {
      ok: false,
      isAway: false,
      warnings,
      reason: `maxmemory-policy is ${policy}, which deletes waiting jobs: set it to noeviction`,
    };
  }
  return { ok: true, warnings };
}

async function readAppendfsync(redis: Redis): Promise<string | undefined> {
  try {
    return (await redis.config('GET', 'appendfsync'))[1];
  } catch (error) {
    // Hosted servers often forbid CONFIG, which says nothing about how they write.
    if (error instanceof ReplyError) return undefined;
    throw error;
  }
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

function whenReady(redis: Redis): Promise<void> {
  return new Promise((resolve, reject) => {
    redis.once('ready', resolve);
    redis.once('error', reject);
  });
}
