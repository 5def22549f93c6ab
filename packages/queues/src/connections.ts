import { createErrorLogLimiter, type Logger } from '@tickmark/runtime';
import { Redis, type RedisOptions } from 'ioredis';

/** A process that asks Redis on somebody's behalf must not wait for it: no offline queue, one retry, every step bounded. */
export function connectProducer(redisUrl: string, options: { log: Logger; deadlineMs: number }): Redis {
  const limiter = createErrorLogLimiter(options);
  const redis = connect(redisUrl, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: options.deadlineMs,
    connectTimeout: 2000,
    // A half-open connection answers nothing for minutes; a command without an answer for so long means to dial again.
    socketTimeout: 5000,
  });
  redis.on('error', (error) => limiter.error('redis', error, 'redis connection failed'));
  return redis;
}

/** A worker has nothing to do without Redis: it waits as long as it takes. Its errors are logged where the Worker's are. */
export function connectWorker(redisUrl: string): Redis {
  const redis = connect(redisUrl, {
    maxRetriesPerRequest: null,
    connectTimeout: 5000,
    // Above the 10 s that a blocking fetch lasts at most, or an idle worker would dial again and again.
    socketTimeout: 15_000,
  });
  return ignoreErrors(redis);
}

/** Without any listener ioredis writes every connection error to the console. */
export function ignoreErrors(redis: Redis): Redis {
  return redis.on('error', () => undefined);
}

function connect(redisUrl: string, purpose: RedisOptions): Redis {
  const options: RedisOptions = {
    ...purpose,
    disconnectTimeout: 500,
    // Soon again after an outage, and not all processes in the same moment.
    retryStrategy: (times: number) => Math.min(50 * 2 ** (times - 1), 1000) + Math.random() * 200,
    // A primary that became a replica keeps its connections; only a new one finds the new primary. READONLY is Redis's error code.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY '),
  };
  return new Redis(redisUrl, { ...options, replyMapping: 'legacy' });
}
