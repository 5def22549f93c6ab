import { noteEpoch, readKnownEpoch, type Database } from '@tickmark/delivery';
import type { Producers } from '@tickmark/queues';
import type { Logger } from '@tickmark/runtime';

/** How old a snapshot of Redis must be, to be recognised when it is put back. */
const RENEW_MS = 60_000;

export interface RedisEpochDeps {
  db: Pick<Database, 'sql'>;
  producers: Pick<Producers, 'readEpoch' | 'renewEpoch'>;
  log: Logger;
}

export interface EpochCheck {
  epoch: string;
  /** Redis is not known to hold what it has to: it was wiped, put back to an old state, or is new. */
  wiped: boolean;
  /**
   * To be called when it was given everything. A wipe that came meanwhile is noticed by the next check, because what is noted here is the
   * epoch from before. @returns the epoch by then
   */
  settle(): Promise<string>;
}

/** Compares the epoch in Redis with the one in Postgres. For one process at a time. */
export async function checkRedisEpoch({ db, producers, log }: RedisEpochDeps): Promise<EpochCheck> {
  const [epoch, known] = await Promise.all([producers.readEpoch(), readKnownEpoch(db)]);
  const wiped = known?.epoch !== epoch;
  if (wiped && known !== null) log.warn('redis was wiped or an old state of it was put back: every waiting message gets its job again');
  return {
    epoch,
    wiped,
    settle: async () => {
      if (!wiped && known.ageMs < RENEW_MS) return epoch;
      // A process that dies before it is noted leaves the two different, which costs a full pass and no more.
      const next = wiped ? epoch : await producers.renewEpoch(epoch);
      if (next !== null) await noteEpoch(db, next);
      return next ?? epoch;
    },
  };
}
