import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { randomBody, testRedis } from '../../index.ts';

test('a body that stays in Redis', async () => {
  const { redisUrl, base } = testRedis();
  const redis = new Redis(redisUrl);
  expect(await redis.set(`${base}:left`, randomBody())).toBe('OK');
  await redis.quit();
});
