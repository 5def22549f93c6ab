import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { randomBody, testRedis } from '../../index.ts';

test('a body that stays in Redis', async () => {
  const { redisUrl, base } = testRedis();
  const redis = new Redis(redisUrl);
  // The outer run uses the same Redis: the key ends by itself.
  expect(await redis.set(`${base}:left`, randomBody(), 'EX', 120)).toBe('OK');
  await redis.quit();
});
