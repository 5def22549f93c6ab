import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { testRedis } from '../../index.ts';

test('a connection that is never closed', async () => {
  expect(await new Redis(testRedis().redisUrl).ping()).toBe('PONG');
});
