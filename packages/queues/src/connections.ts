import { createErrorLogLimiter, type Logger } from '@tickmark/runtime';
import { Redis, type RedisOptions } from 'ioredis';
import { withoutPayload } from './errors.ts';

/** A process that asks Redis on somebody's behalf must not wait for it: no offline queue, one retry, every step bounded. */
export function connectProducer(redisUrl: string, options: { log: Logger; deadlineMs: number }): Redis {
  return connect(redisUrl, options.log, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 1,
    commandTimeout: options.deadlineMs,
    connectTimeout: 2000,
    // A half-open connection answers nothing for minutes; a command without an answer for so long means to dial again.
    socketTimeout: 5000,
  });
}

/** A worker has nothing to do without Redis: it waits as long as it takes. */
export function connectWorker(redisUrl: string, options: { log: Logger }): Redis {
  return connect(redisUrl, options.log, {
    maxRetriesPerRequest: null,
    connectTimeout: 5000,
    // Above the 10 s that a blocking fetch lasts at most, or an idle worker would dial again and again.
    socketTimeout: 15_000,
  });
}

/** Attaches the listener without which ioredis writes every connection error to the console. Lines are limited, payloads left out. */
export function logConnectionErrors(redis: Redis, log: Logger): void {
  const limiter = createErrorLogLimiter({ log });
  redis.on('error', (error) => limiter.error('redis', withoutPayload(error), 'redis connection failed'));
}

function connect(redisUrl: string, log: Logger, purpose: RedisOptions): Redis {
  const options: RedisOptions = {
    ...purpose,
    // Soon again after an outage, and not all processes in the same moment.
    retryStrategy: (times: number) => Math.min(50 * 2 ** (times - 1), 1000) + Math.random() * 200,
    // A primary that became a replica keeps its connections; only a new one finds the new primary. READONLY is Redis's error code.
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY '),
  };
  const redis = new Redis(redisUrl, { ...options, replyMapping: 'legacy' });
  logConnectionErrors(redis, log);
  return redis;
}
