import { randomUUID } from 'node:crypto';
import type { ProducerConnection } from './producer-connection.ts';
import type { Producers } from './producers.ts';

/** Only the epoch that is meant is replaced: one that was made since, after a wipe, must still be noticed. */
const RENEW = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1`;

/** A random name of what Redis holds at present: a wiped Redis has lost it, and an old snapshot that was put back has an older one. */
export function createRedisEpoch(connection: ProducerConnection, base: string): Pick<Producers, 'readEpoch' | 'renewEpoch'> {
  const { redis } = connection;
  const key = `${base}:epoch`;
  return {
    async readEpoch() {
      const fresh = randomUUID();
      return connection.run(async () => (await redis.set(key, fresh, 'NX', 'GET')) ?? fresh);
    },
    async renewEpoch(epoch) {
      const next = randomUUID();
      return connection.run(async () => ((await redis.eval(RENEW, 1, key, epoch, next)) === 1 ? next : null));
    },
  };
}
