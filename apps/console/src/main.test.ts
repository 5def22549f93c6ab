import { createHash } from 'node:crypto';
import { freePort, randomApiKey, spawnProcess, testDatabase, testRedis, waitFor, type SpawnedProcess } from '@tickmark/testing';
import { afterEach, describe, expect, it } from 'vitest';

const STARTED_WITHIN_MS = 60_000;

describe('the process', { timeout: 90_000 }, () => {
  const started: SpawnedProcess[] = [];
  afterEach(() => Promise.all(started.splice(0).map((app) => app.kill())));

  const start = async (stores: { databaseUrl: string; redisUrl: string }, env: Record<string, string> = {}) => {
    const [port, metricsPort] = await Promise.all([freePort(), freePort()]);
    const apiKey = randomApiKey();
    const app = spawnProcess({
      entry: 'apps/console/src/main.ts',
      env: {
        TWILIO_MODE: 'simulator',
        DATABASE_URL: stores.databaseUrl,
        REDIS_URL: stores.redisUrl,
        CONSOLE_PORT: String(port),
        METRICS_PORT: String(metricsPort),
        API_KEYS: `desk:${createHash('sha256').update(apiKey).digest('hex')}:read`,
        ...env,
      },
    });
    started.push(app);
    return { app, apiKey, url: `http://127.0.0.1:${port}`, metricsUrl: `http://127.0.0.1:${metricsPort}` };
  };

  it('is ready on both ports, answers, and exits 0 on SIGTERM', async () => {
    const [database, redis] = [await testDatabase(), testRedis()];
    const { app, apiKey, url, metricsUrl } = await start({ databaseUrl: database.url, redisUrl: redis.redisUrl });
    await app.waitForReady(`${metricsUrl}/health/ready`, { timeoutMs: STARTED_WITHIN_MS });
    await app.waitForReady(`${url}/health/ready`, { timeoutMs: STARTED_WITHIN_MS });
    const answer = await fetch(`${url}/v1/messages?idempotencyKey=k`, { headers: { authorization: `Bearer ${apiKey}` } });
    expect([answer.status, await answer.json()]).toEqual([200, { items: [] }]);
    expect(await (await fetch(`${metricsUrl}/metrics`)).text()).toContain('tickmark_http_request_duration_seconds');
    expect(await app.kill()).toEqual({ code: 0, signal: null });
    await database.drop();
  });

  it('stays, not ready, while its stores are away', async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const { app, metricsUrl } = await start({ databaseUrl: `postgres://nobody@${address}/none`, redisUrl: `redis://${address}` });
    const readiness = await waitFor(() => fetch(`${metricsUrl}/health/ready`), { timeoutMs: STARTED_WITHIN_MS });
    expect(readiness.status).toBe(503);
    expect(await readiness.json()).toMatchObject({ ready: false, reasons: [expect.any(String), expect.any(String)] });
    expect(await app.kill()).toEqual({ code: 0, signal: null });
  });

  it('says everything that is wrong with its configuration and exits 1', async () => {
    const { app } = await start({ databaseUrl: '', redisUrl: 'http://nowhere' }, { API_KEYS: 'desk' });
    expect(await app.exited).toEqual({ code: 1, signal: null });
    for (const key of ['DATABASE_URL', 'REDIS_URL', 'API_KEYS']) expect(app.output()).toContain(key);
  });
});
