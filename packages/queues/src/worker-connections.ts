import type { Redis, RedisOptions } from 'ioredis';
import { connectWorker, ignoreErrors } from './connections.ts';

export interface WorkerConnections {
  /** What a Worker is given. */
  main: Redis;
  /** Ends both connections whatever state they are in; what still waits for them is rejected. */
  disconnect(): void;
}

/**
 * The two connections of one Worker, in our hands: BullMQ opens the one that it blocks on by duplicating the first, and its own `close` waits
 * for ever when Redis is away.
 */
export function openWorkerConnections(redisUrl: string): WorkerConnections {
  const main = connectWorker(redisUrl);
  const all = [main];
  const duplicate = main.duplicate.bind(main);
  main.duplicate = (override?: Partial<RedisOptions>) => {
    const copy = ignoreErrors(duplicate(override));
    all.push(copy);
    return copy;
  };
  return { main, disconnect: () => all.forEach(endConnection) };
}

/** Between two dials ioredis has nothing to disconnect and would stay "reconnecting", with everything that waits for it; so it dials first. */
function endConnection(redis: Redis): void {
  if (redis.status === 'end') return;
  redis.disconnect();
  if (redis.status !== 'reconnecting') return;
  redis.connect().catch(() => undefined);
  redis.disconnect();
}
