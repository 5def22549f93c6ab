import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type Database } from '@tickmark/delivery';
import { createMetrics, systemClock } from '@tickmark/runtime';
import { captureLogger, testDatabase, waitFor } from '@tickmark/testing';
import { watchClockSkew } from './clock-skew.ts';
import { createDatabaseBreaker } from './database-breaker.ts';

let db: Database;
let drop: () => Promise<void>;
beforeAll(async () => {
  const database = await testDatabase();
  db = createDatabase({ url: database.url, prepare: true, max: 2, applicationName: 'worker-test' });
  drop = database.drop;
});
afterAll(async () => {
  await db.close();
  await drop();
});

it('the skew is shown all the time and told once when it becomes too much, with its end', async () => {
  const log = captureLogger();
  const metrics = createMetrics({ process: 'worker' });
  let aheadMs = 0;
  let measured = 0;
  const now = () => {
    measured += 1;
    return new Date(Date.now() + aheadMs);
  };
  const clock = { ...systemClock, now };
  const breaker = createDatabaseBreaker({ db, clock, log: log.log });
  const watch = watchClockSkew({ db, breaker, clock, metrics, log: log.log }, { measureMs: 20 });
  const told = (level: string) => log.lines().filter((line) => line.level === level).length;
  const shown = async () => (await metrics.clockSkew.get()).values[0]?.value;
  const measureMore = async () => {
    const before = measured;
    await waitFor(() => measured > before + 3);
  };

  await measureMore();
  expect(await shown()).toBeCloseTo(0, 0);
  aheadMs = -60_000;
  await waitFor(() => told('warn') > 0);
  await measureMore();
  expect(await shown()).toBeCloseTo(-60, 0);
  expect(told('warn')).toBe(1);
  expect(log.text()).toContain('NTP');
  aheadMs = 0;
  await waitFor(() => told('info') > 0);
  aheadMs = 60_000;
  await waitFor(() => told('warn') > 1);
  await measureMore();
  expect({ warnings: told('warn'), ends: told('info') }).toEqual({ warnings: 2, ends: 1 });
  await watch.close();
  await breaker.close();
});
