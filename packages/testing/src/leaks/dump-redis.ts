import { Redis } from 'ioredis';

export interface DumpedKey {
  database: number;
  key: string;
  type: string;
  /** Everything that the key holds, as one text. */
  value: string;
}

const KEYS_PER_ROUND = 500;

/** Every key of every database that has any, read by its type. Keys that vanish meanwhile are passed over. */
export async function* dumpRedis(redisUrl: string): AsyncGenerator<DumpedKey> {
  const redis = new Redis(redisUrl, { lazyConnect: true, maxRetriesPerRequest: 1, retryStrategy: () => null });
  // Without a listener ioredis prints errors itself; the failing command tells us.
  redis.on('error', () => {});
  try {
    await redis.connect();
    const keyspace = await redis.info('keyspace');
    for (const [, database] of keyspace.matchAll(/^db(\d+):/gm)) {
      await redis.select(Number(database));
      yield* dumpDatabase(redis, Number(database));
    }
  } finally {
    redis.disconnect();
  }
}

async function* dumpDatabase(redis: Redis, database: number): AsyncGenerator<DumpedKey> {
  for await (const keys of redis.scanStream({ count: KEYS_PER_ROUND }) as AsyncIterable<string[]>) {
    const types = await Promise.all(keys.map((key) => redis.type(key)));
    const values = await Promise.all(keys.map((key, index) => readValue(redis, key, types[index] ?? 'none')));
    for (const [index, key] of keys.entries())
      yield { database, key, type: types[index] ?? 'none', value: JSON.stringify(values[index]) ?? '' };
  }
}

function readValue(redis: Redis, key: string, type: string): Promise<unknown> {
  switch (type) {
    case 'none':
      return Promise.resolve('');
    case 'string':
      return redis.get(key);
    case 'hash':
      return redis.hgetall(key);
    case 'list':
      return redis.lrange(key, 0, -1);
    case 'set':
      return redis.smembers(key);
    case 'zset':
      return redis.zrange(key, '0', '-1');
    case 'stream':
      return redis.xrange(key, '-', '+');
    default:
      // Types of modules: their serialized form.
      return redis.dump(key);
  }
}
