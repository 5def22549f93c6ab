import { createHash } from 'node:crypto';
import { pipelineValues } from './pipeline-values.ts';
import type { ProducerConnection } from './producer-connection.ts';

/** The minutes that are looked at together, the present one included. */
const MINUTES = 5;
const KEPT_SECONDS = (MINUTES + 1) * 60;

/** What became of the messages of one thing (a campaign, a template) that reached their end. */
export interface Finals {
  /** Names the thing; free text. */
  key: string;
  finals: number;
  /** Those among them that ended in the way that is watched for. */
  failures: number;
}

export interface FailureShares {
  /**
   * Adds to the counts of this minute. @returns for each thing, in order, its counts of the last five minutes over all processes. Not safe to
   * repeat, but what it decides is a share: a batch that is counted twice changes it little.
   */
  count(items: readonly Finals[]): Promise<Finals[]>;
  /** Begins anew for one thing, in all processes. Safe to repeat. */
  forget(key: string): Promise<void>;
}

/** Counts per minute in Redis, one hash for each: what was counted is worth a few minutes and no row in Postgres. */
export function createFailureShares(connection: ProducerConnection, base: string): FailureShares {
  const keyOf = (minute: number) => `{${base}:failure-shares}:${minute}`;
  return {
    count: async (items) => {
      const minute = Math.floor(Date.now() / 60_000);
      const pipeline = connection.redis.pipeline();
      for (const { key, finals, failures } of items) {
        pipeline.hincrby(keyOf(minute), field(key, 'finals'), finals);
        pipeline.hincrby(keyOf(minute), field(key, 'failures'), failures);
      }
      pipeline.expire(keyOf(minute), KEPT_SECONDS);
      const fields = items.flatMap(({ key }) => [field(key, 'finals'), field(key, 'failures')]);
      for (let back = 0; back < MINUTES; back += 1) pipeline.hmget(keyOf(minute - back), ...fields);
      const minutes = await connection.run(async () => pipelineValues(await pipeline.exec()).slice(-MINUTES) as (string | null)[][]);
      const sum = (index: number) => minutes.reduce((total, counts) => total + Number(counts[index] ?? 0), 0);
      return items.map(({ key }, index) => ({ key, finals: sum(2 * index), failures: sum(2 * index + 1) }));
    },
    forget: async (key) => {
      const minute = Math.floor(Date.now() / 60_000);
      const pipeline = connection.redis.pipeline();
      for (let back = 0; back < MINUTES; back += 1) pipeline.hdel(keyOf(minute - back), field(key, 'finals'), field(key, 'failures'));
      await connection.run(async () => pipelineValues(await pipeline.exec()));
    },
  };
}

/** Hashed, because names are free text of any length. */
function field(key: string, count: 'finals' | 'failures'): string {
  return `${createHash('sha256').update(key).digest('base64url').slice(0, 22)}:${count}`;
}
