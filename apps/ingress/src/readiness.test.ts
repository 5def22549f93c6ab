import { createProducers, type RedisCheck } from '@tickmark/queues';
import { captureLogger, freePort, testRedis, waitFor } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { createReadiness } from './readiness.ts';

const takes = { problem: () => null };

it('is ready when Redis answers, and without it when the disk takes what comes', async () => {
  const { log } = captureLogger();
  const producers = createProducers({ ...testRedis(), log });
  const ready = createReadiness({ producers, spool: takes, log });
  expect(await waitFor(async () => ((await ready()).ready ? ready() : undefined))).toEqual({ ready: true, reasons: [] });
  await producers.close();

  const nowhere = createProducers({ redisUrl: `redis://127.0.0.1:${await freePort()}`, log });
  expect(await createReadiness({ producers: nowhere, spool: takes, log })()).toEqual({
    ready: true,
    reasons: [expect.stringMatching(/redis.*wait on disk/i)],
  });
  expect(await createReadiness({ producers: nowhere, spool: { problem: () => 'the spool is full' }, log })()).toEqual({
    ready: false,
    reasons: [expect.stringMatching(/redis/i), 'the spool is full'],
  });
  await nowhere.close();
});

it('says at once that a Redis is away which says nothing', async () => {
  const { log } = captureLogger();
  const ready = createReadiness({ producers: { check: () => new Promise(() => {}) }, spool: takes, log });
  expect(await ready()).toEqual({ ready: true, reasons: [expect.stringMatching(/redis does not answer.*wait on disk/)] });
});

it('is not ready on a server that loses jobs', async () => {
  const { log } = captureLogger();
  const check: RedisCheck = { ok: false, isAway: false, warnings: [], reason: 'maxmemory-policy is allkeys-lru' };
  const ready = createReadiness({ producers: { check: async () => check }, spool: takes, log });
  expect(await ready()).toEqual({ ready: false, reasons: ['maxmemory-policy is allkeys-lru'] });
});

it('logs each warning once, however often it is asked', async () => {
  const captured = captureLogger();
  let warnings = ['AOF is off'];
  const ready = createReadiness({ producers: { check: async () => ({ ok: true, warnings }) }, spool: takes, log: captured.log });
  await ready();
  await ready();
  warnings = ['AOF is off', 'the eviction policy could not be read'];
  await ready();
  expect(captured.lines().map(({ warning }) => warning)).toEqual(warnings);
});
