import { createProducers, type RedisCheck } from '@tickmark/queues';
import { captureLogger, freePort, testRedis, waitFor } from '@tickmark/testing';
import { expect, it } from 'vitest';
import { createReadiness } from './readiness.ts';

it('is ready when Redis answers, and says why not when it never did', async () => {
  const { log } = captureLogger();
  const producers = createProducers({ ...testRedis(), log });
  const ready = createReadiness({ producers, log });
  expect(await waitFor(async () => ((await ready()).ready ? ready() : undefined))).toEqual({ ready: true, reasons: [] });
  await producers.close();

  const nowhere = createProducers({ redisUrl: `redis://127.0.0.1:${await freePort()}`, log });
  expect(await createReadiness({ producers: nowhere, log })()).toEqual({ ready: false, reasons: [expect.stringMatching(/redis/i)] });
  await nowhere.close();
});

it('stays ready when Redis goes away, says so, and is not ready on a server that loses jobs', async () => {
  const { log } = captureLogger();
  let check: RedisCheck = { ok: true, warnings: [] };
  const ready = createReadiness({ producers: { check: async () => check }, log });
  expect(await ready()).toEqual({ ready: true, reasons: [] });
  check = { ok: false, isAway: true, warnings: [], reason: 'redis is not reachable' };
  expect(await ready()).toEqual({ ready: true, reasons: [expect.stringContaining('wait on disk')] });
  check = { ok: false, isAway: false, warnings: [], reason: 'maxmemory-policy is allkeys-lru' };
  expect(await ready()).toEqual({ ready: false, reasons: ['maxmemory-policy is allkeys-lru'] });
});

it('logs each warning once, however often it is asked', async () => {
  const captured = captureLogger();
  let warnings = ['AOF is off'];
  const ready = createReadiness({ producers: { check: async () => ({ ok: true, warnings }) }, log: captured.log });
  await ready();
  await ready();
  warnings = ['AOF is off', 'the eviction policy could not be read'];
  await ready();
  expect(captured.lines().map(({ warning }) => warning)).toEqual(warnings);
});
