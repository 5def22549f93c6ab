import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createDatabase, type Database } from '@tickmark/delivery';
import { captureLogger, testDatabase, waitFor, type CapturedLogger, type TestDatabase } from '@tickmark/testing';
import { untilDatabaseReady } from './until-database-ready.ts';

const PROBE_MS = 5;

let database: TestDatabase;
const opened: Database[] = [];
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(async () => {
  await Promise.all(opened.map((db) => db.close()));
  await database.drop();
});

function open(url: string): Database {
  const db = createDatabase({ url, prepare: true, max: 2, applicationName: 'start-test' });
  opened.push(db);
  return db;
}

const warnings = (logger: CapturedLogger) => logger.lines().filter((line) => line['level'] === 'warn');

it('a start that is refused again and again for one reason is one line for each reason, and then succeeds', async () => {
  const logger = captureLogger({ process: 'worker' });
  const refusals = ['42501', '42501', '42501', '42P01', '42P01'];
  const start = () => {
    const code = refusals.shift();
    return code === undefined ? Promise.resolve() : Promise.reject(Object.assign(new Error('refused'), { code }));
  };
  await untilDatabaseReady({ db: open(database.url), log: logger.log }, new AbortController().signal, start, PROBE_MS);
  expect(refusals).toEqual([]);
  expect(warnings(logger)).toMatchObject([{ err: { code: '42501' } }, { err: { code: '42P01' } }]);
});

it('a database that refuses us for long is one line that says why, and the wait ends with the signal', async () => {
  const logger = captureLogger({ process: 'worker' });
  const url = new URL(database.url);
  url.username = `late_${randomUUID().replaceAll('-', '')}`;
  const db = open(url.href);
  const stop = new AbortController();
  const waiting = untilDatabaseReady({ db, log: logger.log }, stop.signal, () => Promise.reject(new Error('never')), PROBE_MS);
  const owner = open(database.url);
  await waitFor(() => warnings(logger).length > 0);
  // A user who exists now and may not do anything: another reason, hence another line, which shows that the first was looked at again.
  await owner.sql`CREATE ROLE ${owner.sql(url.username)} LOGIN`;
  try {
    await waitFor(() => warnings(logger).length === 2);
  } finally {
    stop.abort();
    await waiting;
    await db.close();
    await owner.sql`DROP ROLE ${owner.sql(url.username)}`;
  }
  expect(warnings(logger)[0]).toMatchObject({ reason: expect.stringMatching(/^PostgreSQL refuses us \(28000\): check user, password/) });
});
