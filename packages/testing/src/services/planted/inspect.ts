import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import postgres from 'postgres';
import { waitFor } from '../../fixtures/wait-for.ts';
import { isRunning } from '../file-lock.ts';
import type { Services } from '../start-services.ts';

type Addresses = Pick<Services, 'databaseUrl' | 'redisUrl'>;

/** Every setting of the server. */
export async function inspectPostgres(url: string): Promise<Record<string, string>> {
  const sql = postgres(url, { max: 1 });
  const rows = await sql<{ name: string; setting: string }[]>`SELECT name, setting FROM pg_settings`;
  await sql.end();
  return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
}

export async function dataFolderOf({ databaseUrl }: Pick<Services, 'databaseUrl'>): Promise<string> {
  return (await inspectPostgres(databaseUrl))['data_directory'] ?? '';
}

/** Every setting of the server, and its version. */
export async function inspectRedis(url: string): Promise<Record<string, string>> {
  const redis = new Redis(url);
  const pairs = await redis.config('GET', '*');
  const version = /^redis_version:(.*)\r$/m.exec(await redis.info('server'))?.[1] ?? '';
  await redis.quit();
  const settings = pairs.flatMap((name, index) => (index % 2 === 0 ? [[name, pairs[index + 1] ?? '']] : []));
  return { ...Object.fromEntries(settings), version };
}

export async function writeToBoth({ databaseUrl, redisUrl }: Addresses, value: string): Promise<void> {
  const sql = postgres(databaseUrl, { max: 1 });
  await sql`CREATE TABLE kept AS SELECT ${value}::text AS value`;
  await sql.end();
  const redis = new Redis(redisUrl);
  await redis.set('kept', value);
  await redis.quit();
}

export async function readFromBoth({ databaseUrl, redisUrl }: Addresses): Promise<{ row: unknown; key: string | null }> {
  const sql = postgres(databaseUrl, { max: 1 });
  const [row] = await sql<{ value: string }[]>`SELECT value FROM kept`;
  await sql.end();
  const redis = new Redis(redisUrl);
  const key = await redis.get('kept');
  await redis.quit();
  return { row: row?.value, key };
}

/** The server's processes but the first. */
export async function backendPids(databaseUrl: string): Promise<number[]> {
  const sql = postgres(databaseUrl, { max: 1 });
  const rows = await sql<{ pid: number }[]>`SELECT pid FROM pg_stat_activity`;
  await sql.end();
  return rows.map(({ pid }) => pid);
}

/** A living process of the user that PostgreSQL runs as. */
export async function checkpointerPid(databaseUrl: string): Promise<number> {
  const sql = postgres(databaseUrl, { max: 1 });
  const [row] = await sql<{ pid: number }[]>`SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'`;
  await sql.end();
  return row?.pid ?? 0;
}

/** The id of the System V segment of a running cluster. */
export function sharedMemoryOf(dataFolder: string): string {
  return readFileSync(join(dataFolder, 'postmaster.pid'), 'utf8').split('\n')[6]?.trim().split(/\s+/)[1] ?? '';
}

/** The ids of all System V segments; empty where there is no /proc. */
export function allSharedMemory(): string[] {
  const file = '/proc/sysvipc/shm';
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.map((line) => line.trim().split(/\s+/)[1] ?? '');
}

/** Returns those that still run after 20 s, so that a test can expect none. */
export async function survivorsOf(pids: readonly number[]): Promise<number[]> {
  await waitFor(() => !pids.some(isRunning), { timeoutMs: 20_000 }).catch(() => undefined);
  return pids.filter(isRunning);
}
