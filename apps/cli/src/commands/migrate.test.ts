import { checkDatabase, createDatabase } from '@tickmark/delivery';
import { freePort, testDatabase, type TestDatabase } from '@tickmark/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../fixtures/run.ts';

describe('tickmark migrate', () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase();
    const db = createDatabase({ url: database.url, prepare: true, max: 1, applicationName: 'cli-test' });
    await db.sql`DROP SCHEMA public, drizzle CASCADE`;
    await db.sql`CREATE SCHEMA public`;
    await db.close();
  });
  afterAll(() => database.drop());

  it('brings an empty database up to date, says what it applied, and does nothing the second time', async () => {
    const first = await run(['migrate'], { DATABASE_URL: database.url });
    expect(first).toMatchObject({ code: 0, out: expect.stringMatching(/^Applied \d+ migrations?\./) });
    const db = createDatabase({ url: database.url, prepare: true, max: 1, applicationName: 'cli-test' });
    expect(await checkDatabase(db)).toEqual({ ok: true });
    await db.close();
    expect(await run(['migrate', '--json'], { DATABASE_URL: database.url })).toMatchObject({ code: 0, out: '{"applied":0}\n' });
  });

  it('exits 1 and says what to check when no server answers, without the password', async () => {
    const url = `postgres://tickmark:not-to-be-seen@127.0.0.1:${await freePort()}/tickmark`;
    const { code, out, err } = await run(['migrate', '--json'], { DATABASE_URL: url });
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(JSON.parse(err.trim().split('\n').at(-1) ?? '')).toEqual({
      error: { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('DATABASE_URL') },
    });
    expect(err).not.toContain('not-to-be-seen');
  });

  it('exits 1 and names the database when the server has none of that name', async () => {
    const url = new URL(database.url);
    url.pathname = '/no_such_database';
    const { code, err } = await run(['migrate'], { DATABASE_URL: url.href });
    expect(code).toBe(1);
    expect(err).toContain('no_such_database');
    expect(err).not.toContain('unexpected');
  });
});
