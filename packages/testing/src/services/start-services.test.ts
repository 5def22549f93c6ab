import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { isRunning } from './file-lock.ts';
import { inspectPostgres, inspectRedis } from './planted/inspect.ts';
import { startServices, type Services, type StartServicesOptions } from './start-services.ts';

const started: Services[] = [];
afterEach(() => Promise.all(started.splice(0).map((services) => services.stop())));

test('a real PostgreSQL 18 and a real Redis are started, durable and on loopback only, and gone after stop()', async () => {
  const runId = randomUUID();
  vi.stubEnv('TICKMARK_RUN_ID', runId);
  const services = await start();
  vi.unstubAllEnvs();
  const database = await inspectPostgres(services.databaseUrl);
  expect(database).toMatchObject({ fsync: 'on', synchronous_commit: 'on', listen_addresses: '127.0.0.1', TimeZone: 'UTC' });
  expect(database['server_version']).toMatch(/^18\./);
  expect(Number(database['max_connections'])).toBeGreaterThanOrEqual(300);
  expect(database['shared_preload_libraries']).toBe('pg_stat_statements');
  const redis = await inspectRedis(services.redisUrl);
  expect(redis).toMatchObject({
    appendonly: 'yes',
    appendfsync: 'always',
    'maxmemory-policy': 'noeviction',
    save: '',
    databases: '256',
    bind: '127.0.0.1',
  });
  expect(Number(redis['version']?.split('.')[0])).toBeGreaterThanOrEqual(7);

  expect(services.pids).toHaveLength(3);
  // By this id whoever started a run finds what was left of it.
  if (process.platform === 'linux')
    expect(services.pids.every((pid) => environmentOf(pid).includes(`TICKMARK_RUN_ID=${runId}`))).toBe(true);
  await services.stop();
  await services.stop();
  expect(services.pids.filter(isRunning)).toEqual([]);
  expect(existsSync(database['data_directory'] ?? '')).toBe(false);
});

test('no server is started when both addresses are given', async () => {
  const given = { databaseUrl: 'postgres://127.0.0.1:1/given', redisUrl: 'redis://127.0.0.1:1' };
  expect(await start(given)).toMatchObject({ ...given, pids: [] });
});

test('only the server whose address is not given is started', async () => {
  const services = await start({ databaseUrl: 'postgres://127.0.0.1:1/given' });
  expect(services).toMatchObject({ databaseUrl: 'postgres://127.0.0.1:1/given', redisUrl: expect.stringMatching(/^redis:/) });
  expect(services.pids).toHaveLength(2);
});

test('only the server that is asked for is started', async () => {
  const services = await start({ postgres: false });
  expect(services.databaseUrl).toBe('');
  expect(services.pids).toHaveLength(2);
});

test('two starts at once have servers of their own', async () => {
  const [one, other] = await Promise.all([start({ postgres: false }), start({ postgres: false })]);
  expect(one.redisUrl).not.toBe(other.redisUrl);
  expect(new Set([...one.pids, ...other.pids]).size).toBe(4);
});

test('a server that cannot start fails the start with its own words, and nothing of it stays', async () => {
  await expect(start({ redis: false, postgresBinaries: '/nonexistent' })).rejects.toThrow('there is no bin/postgres in /nonexistent');
});

function environmentOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
}

async function start(options: StartServicesOptions = {}): Promise<Services> {
  const services = await startServices(options);
  started.push(services);
  return services;
}
