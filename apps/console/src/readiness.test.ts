import { randomUUID } from 'node:crypto';
import { createDatabase } from '@tickmark/delivery';
import { freePort, testDatabase, waitFor } from '@tickmark/testing';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createConsoleHarness, type ConsoleHarness } from './fixtures/console-harness.ts';

async function open(...args: Parameters<typeof createConsoleHarness>): Promise<ConsoleHarness> {
  const app = await createConsoleHarness(...args);
  onTestFinished(() => app.close());
  return app;
}

describe('GET /health/ready', () => {
  it('is 200 when both stores are there', async () => {
    const app = await open();
    const answer = await waitFor(async () => {
      const { status, json } = await app.get('/health/ready', null);
      return status === 200 && json;
    });
    expect(answer).toEqual({ ready: true, reasons: [] });
  });

  it('is 503 with every reason when they are not, while requests say that the store is away', async () => {
    const app = await open({
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
  });

  it('is 503 while migrations are missing, and names the command', async () => {
    const empty = await emptyDatabase();
    const app = await open({ databaseUrl: empty.url });
    const { status, json } = await app.get('/health/ready', null);
    expect([status, json.reasons]).toEqual([503, expect.arrayContaining([expect.stringContaining('npm run migrate')])]);
    expect((await app.get(`/v1/messages/${randomUUID()}`)).json.error.code).toBe('STORE_UNAVAILABLE');
  });

  it('is 503 when the server answers but has no such database', async () => {
    const database = await testDatabase();
    onTestFinished(() => database.drop());
    const url = new URL(database.url);
    url.pathname = '/no_such_database';
    const app = await open({ databaseUrl: url.href });
    const { status, json } = await app.get('/health/ready', null);
    expect([status, json.reasons]).toEqual([503, expect.arrayContaining([expect.stringContaining('DATABASE_URL')])]);
    expect((await app.get(`/v1/messages/${randomUUID()}`)).json.error.code).toBe('STORE_UNAVAILABLE');
  });
});

/** A database without any migration. */
async function emptyDatabase(): Promise<{ url: string }> {
  const database = await testDatabase();
  onTestFinished(() => database.drop());
  const db = createDatabase({ url: database.url, prepare: true, max: 1, applicationName: 'console-test' });
  await db.sql`DROP SCHEMA public, drizzle CASCADE`;
  await db.sql`CREATE SCHEMA public`;
  await db.close();
  return { url: database.url };
}
