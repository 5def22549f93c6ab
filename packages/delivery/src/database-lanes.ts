import type postgres from 'postgres';
import { connectionError, openLane, type Lane, type LaneSettings } from './database-lane.ts';

/** A connection that nobody needed for so long is closed. */
const IDLE_MS_MAX = 60_000;

/** Whoever uses a lane may find that it cannot be trusted any more, for instance because its transaction did not end. */
export type LaneWork<R> = (sql: postgres.ISql, spoil: () => void) => Promise<R>;

/** Connections to Postgres, each given to one piece of work at a time. */
export interface Lanes {
  /**
   * Does work on a connection of its own; waits while all are taken.
   *
   * Rejects at once when the connection is lost, or when a statement got no answer for too long, whatever the work waits for; what the work
   * asks on it later rejects too, and reaches no other connection.
   */
  use<R>(work: LaneWork<R>): Promise<R>;
  /** Ends every connection, at the latest after `deadlineMs`. Work under way then fails. Safe to repeat. */
  close(deadlineMs: number): Promise<void>;
}

/**
 * Opens no connection yet. Each lane is a postgres.js client with one connection, thrown away with it.
 *
 * A broken connection of postgres.js 3.4.9 must never be used again: a transaction that ends on it kills the process (issue 1154 of
 * porsager/postgres), a statement given between its `error` and `close` is answered with nothing or with another statement's rows, and
 * one whose text was not yet written spoils every later start of that connection (pull request 1209). Its pool does all of this in an outage.
 */
export function openLanes(settings: LaneSettings, max: number): Lanes {
  const lanes = new Set<Lane>();
  const idle: Lane[] = [];
  const waiting: { resolve: (lane: Lane) => void; reject: (error: Error) => void }[] = [];
  let closed = false;

  const open = () => {
    const lane = openLane(settings, () => discard(lane));
    lanes.add(lane);
    return lane;
  };
  const take = (): Lane | Promise<Lane> => {
    if (closed) throw connectionError('CONNECTION_ENDED');
    const lane = idle.pop();
    clearTimeout(lane?.idleTimer);
    if (lane !== undefined) return lane;
    return lanes.size < max ? open() : new Promise((resolve, reject) => waiting.push({ resolve, reject }));
  };
  const give = (lane: Lane) => {
    if (!lane.isUsable()) return discard(lane);
    const next = waiting.shift();
    if (next !== undefined) return next.resolve(lane);
    idle.push(lane);
    lane.idleTimer = setTimeout(() => discard(lane), IDLE_MS_MAX).unref();
  };
  const discard = (lane: Lane) => {
    if (!lanes.delete(lane)) return;
    clearTimeout(lane.idleTimer);
    if (idle.includes(lane)) idle.splice(idle.indexOf(lane), 1);
    void lane.end(0);
    if (!closed && waiting.length > 0) waiting.shift()?.resolve(open());
  };

  return {
    async use(work) {
      const lane = await take();
      try {
        return await Promise.race([work(lane.sql, () => lane.spoil()), lane.lost]);
      } finally {
        give(lane);
      }
    },
    async close(deadlineMs) {
      closed = true;
      for (const { reject } of waiting.splice(0)) reject(connectionError('CONNECTION_ENDED'));
      await Promise.all([...lanes].map((lane) => lane.end(deadlineMs)));
    },
  };
}
