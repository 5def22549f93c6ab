import { startServices } from '@tickmark/testing';
import { Redis } from 'ioredis';
import postgres from 'postgres';

/** One PostgreSQL and one Redis of our own, the same for every candidate. */
export interface BenchServices {
  redisUrl: string;
  redis: Redis;
  pids: { postgres: number; redis: number };
  /** Whatever the figures depend on, read from the servers themselves. */
  settings: Record<string, string>;
  /** Makes a database that others are copied from, and closes its connections. */
  makeTemplate(name: string, fill: (url: string) => Promise<void>): Promise<void>;
  /** A copy for one run: every run begins with the same rows in the same places. */
  copyTemplate(template: string, name: string): Promise<{ url: string; drop: () => Promise<void> }>;
  /** A database that a run before this one left in the data folder; null when there is none. */
  urlOf(name: string): string;
  openKept(name: string): Promise<string | null>;
  makeKept(name: string): Promise<string>;
  dropKept(name: string): Promise<void>;
  /** Runs a load while the server may write its log far ahead of its pages, as an operator would set it for a load. */
  withRoomForLoading<T>(load: () => Promise<T>): Promise<T>;
  stop(): Promise<void>;
}

/**
 * Servers that are there already are not used: what is measured on them could not be compared, and their data are somebody's.
 *
 * @param dataDir where the servers keep their data; without it they are removed at the end
 */
export async function startBenchServices(onProgress: (text: string) => void, dataDir?: string): Promise<BenchServices> {
  const services = await startServices({ onProgress, ...(dataDir === undefined ? {} : { dataDir }) });
  const [, postgresPid = 0, redisPid = 0] = services.pids;
  const redis = new Redis(services.redisUrl, { replyMapping: 'legacy' });
  redis.on('error', () => undefined);
  const admin = postgres(services.databaseUrl, { max: 1, onnotice: () => {} });
  const urlOf = (name: string) => Object.assign(new URL(services.databaseUrl), { pathname: `/${name}` }).href;
  const drop = async (name: string) => void (await admin`DROP DATABASE IF EXISTS ${admin(name)} WITH (FORCE)`);
  return {
    redisUrl: services.redisUrl,
    redis,
    pids: { postgres: postgresPid, redis: redisPid },
    settings: await readSettings(admin, redis),
    async makeTemplate(name, fill) {
      await admin`CREATE DATABASE ${admin(name)}`;
      await fill(urlOf(name));
    },
    async copyTemplate(template, name) {
      await admin`CREATE DATABASE ${admin(name)} TEMPLATE ${admin(template)}`;
      return { url: urlOf(name), drop: () => drop(name) };
    },
    urlOf,
    async openKept(name) {
      const [row] = await admin`SELECT 1 FROM pg_database WHERE datname = ${name}`;
      return row ? urlOf(name) : null;
    },
    async makeKept(name) {
      await admin`CREATE DATABASE ${admin(name)}`;
      return urlOf(name);
    },
    dropKept: drop,
    async withRoomForLoading(load) {
      await admin`ALTER SYSTEM SET max_wal_size = '16GB'`;
      await admin`ALTER SYSTEM SET checkpoint_timeout = '30min'`;
      await admin`SELECT pg_reload_conf()`;
      try {
        return await load();
      } finally {
        await admin`ALTER SYSTEM RESET ALL`;
        await admin`SELECT pg_reload_conf()`;
      }
    },
    async stop() {
      redis.disconnect();
      await admin.end({ timeout: 1 });
      await services.stop();
    },
  };
}

/** @throws when a server would confirm what is not on disk: then no candidate's durability class were true */
async function readSettings(admin: postgres.Sql, redis: Redis): Promise<Record<string, string>> {
  const [row = {}] = await admin<Record<string, string>[]>`SELECT current_setting('server_version') AS version,
    current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS synchronous_commit`;
  const [, appendFsync = ''] = await redis.config('GET', 'appendfsync');
  const redisVersion = /redis_version:(\S+)/.exec(await redis.info('server'))?.[1] ?? '';
  if (row['fsync'] !== 'on' || row['synchronous_commit'] !== 'on' || appendFsync !== 'always')
    throw new Error(`the servers of the bench must write before they answer: ${JSON.stringify({ ...row, appendFsync })}`);
  return { postgres: row['version'] ?? '', postgresFsync: 'on', redis: redisVersion, redisAppendFsync: appendFsync };
}
