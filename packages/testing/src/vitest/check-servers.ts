import { Redis } from 'ioredis';
import postgres from 'postgres';
import type { Services } from '../services/start-services.ts';

const POSTGRES_MAJOR_MIN = 15;
const REDIS_MAJOR_MIN = 7;

/** Asks both servers for their version. Tests never skip: a server that is absent or too old ends the run here, with what to do. */
export async function checkServers({ databaseUrl, redisUrl }: Pick<Services, 'databaseUrl' | 'redisUrl'>): Promise<void> {
  const [database, redis] = await Promise.all([
    postgresMajor(databaseUrl).catch((cause: unknown) => refuse('PostgreSQL does not answer; correct DATABASE_URL or remove it', cause)),
    redisMajor(redisUrl).catch((cause: unknown) => refuse('Redis does not answer; correct REDIS_URL or remove it', cause)),
  ]);
  if (database < POSTGRES_MAJOR_MIN)
    refuse(`the PostgreSQL of DATABASE_URL is version ${database}; at least ${POSTGRES_MAJOR_MIN} is needed`);
  if (redis < REDIS_MAJOR_MIN) refuse(`the Redis of REDIS_URL is version ${redis}; at least ${REDIS_MAJOR_MIN} is needed`);
}

function refuse(problem: string, cause?: unknown): never {
  throw new Error(`the tests cannot run: ${problem}`, { cause });
}

async function postgresMajor(url: string): Promise<number> {
  const sql = postgres(url, { max: 1, connect_timeout: 5 });
  try {
    const [row] = await sql<{ version: string }[]>`SELECT current_setting('server_version_num') AS version`;
    return Math.floor(Number(row?.version) / 10_000);
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function redisMajor(url: string): Promise<number> {
  const redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 1, retryStrategy: () => null, connectTimeout: 5_000 });
  // The failing command tells us; without a listener ioredis would print it as well.
  redis.on('error', () => {});
  try {
    await redis.connect();
    return Number(/^redis_version:(\d+)/m.exec(await redis.info('server'))?.[1]);
  } finally {
    redis.disconnect();
  }
}
