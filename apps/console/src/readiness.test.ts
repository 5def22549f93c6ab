import { randomBytes, randomUUID } from 'node:crypto';
import { createDatabase } from '@tickmark/delivery';
import { freePort, testDatabase } from '@tickmark/testing';
import { describe, expect, it } from 'vitest';
import { createConsoleHarness } from './fixtures/console-harness.ts';

describe('GET /health/ready', () => {
  it('is 200 when both stores are there', async () => {
    const app = await createConsoleHarness();
    expect(await app.get('/health/ready', null)).toMatchObject({ status: 200, json: { ready: true, reasons: [] } });
    await app.close();
  });

  it('is 503 with every reason when they are not, while requests say that the store is away', async () => {
    const app = await createConsoleHarness({
      databaseUrl: `postgres://nobody:secret@127.0.0.1:${await freePort()}/none`,
      redisUrl: `redis://127.0.0.1:${await freePort()}`,
    });
    const { status, json } = await app.get('/health/ready', null);
    expect(status).toBe(503);
    expect(json).toEqual({ ready: false, reasons: [expect.stringContaining('PostgreSQL'), expect.stringMatching(/redis/i)] });
    expect(JSON.stringify(json)).not.toContain('secret');
    const answer = await app.get(`/v1/messages/${randomUUID()}`);
    expect(answer).toMatchObject({
      status: 503,
      json: { error: { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('/health/ready') } },
    });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect((await app.get('/health/live', null)).status).toBe(200);
    await app.close();
  });

  it('is 503 while migrations are missing, and names the command', async () => {
    const empty = await emptyDatabase();
    const app = await createConsoleHarness({ databaseUrl: empty.url });
    const { status, json } = await app.get('/health/ready', null);
    expect([status, json.reasons]).toEqual([503, [expect.stringContaining('npm run migrate')]]);
    expect((await app.get(`/v1/messages/${randomUUID()}`)).json.error.code).toBe('STORE_UNAVAILABLE');
    await app.close();
    await empty.drop();
  });

  it('is 503 when the server answers but has no such database', async () => {
    const database = await testDatabase();
    const url = new URL(database.url);
    url.pathname = '/no_such_database';
    const app = await createConsoleHarness({ databaseUrl: url.href });
    const { status, json } = await app.get('/health/ready', null);
    expect([status, json.reasons]).toEqual([503, [expect.stringContaining('DATABASE_URL')]]);
    expect((await app.get(`/v1/messages/${randomUUID()}`)).json.error.code).toBe('STORE_UNAVAILABLE');
    await app.close();
    await database.drop();
  });
});

/** A database without any migration, beside one of the test run. */
async function emptyDatabase(): Promise<{ url: string; drop(): Promise<void> }> {
  const neighbour = await testDatabase();
  const db = createDatabase({ url: neighbour.url, prepare: true, max: 1, applicationName: 'console-test' });
  const name = `empty_${randomBytes(8).toString('hex')}`;
  await db.sql`CREATE DATABASE ${db.sql(name)}`;
  const url = new URL(neighbour.url);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    drop: async () => {
      await db.sql`DROP DATABASE ${db.sql(name)} WITH (FORCE)`;
      await db.close();
      await neighbour.drop();
    },
  };
}
