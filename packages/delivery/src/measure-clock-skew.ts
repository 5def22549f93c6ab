import type { Clock } from '@tickmark/runtime';
import { inStatement, type Database } from './database.ts';

export interface ClockSkew {
  /** The clock that was given minus the database's; negative when it is behind. */
  skewMs: number;
  /** Half of the round trip: by so much at most the skew may be wrong. */
  errorMs: number;
}

/** Compares a clock with the database's by one statement, as if its answer had been made at half of the way. */
export function measureClockSkew(db: Pick<Database, 'sql'>, clock: Clock): Promise<ClockSkew> {
  return inStatement(db.sql, async (sql) => {
    // Here, behind the wait for a connection; in this order, so that a pause between the two counts as an error of the measurement.
    const startMs = clock.monotonicMs();
    const startedAtMs = clock.now().getTime();
    const [answer] = await sql<[{ atMs: number }]>`SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS "atMs"`;
    const errorMs = (clock.monotonicMs() - startMs) / 2;
    return { skewMs: startedAtMs + errorMs - answer.atMs, errorMs };
  });
}
