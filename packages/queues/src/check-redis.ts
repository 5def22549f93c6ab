export type RedisCheck = { ok: true; warnings: string[] } | { ok: false; warnings: string[]; reason: string };

/**
 * Asks the server whether it is one that we can promise anything on: Redis 7.0 or Valkey 7.2, or newer, `noeviction`. AOF other than
 * `always` is a warning. Never rejects: an unreachable server is `ok: false` with the reason. For readiness; safe to repeat.
 */
export async function checkRedis(_options: { redisUrl: string; deadlineMs?: number }): Promise<RedisCheck> {
  throw new Error('not built yet');
}
