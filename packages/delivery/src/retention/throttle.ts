import { setTimeout as pause } from 'node:timers/promises';

/** Runs one piece of work and then leaves the database to others for a while. */
export type Throttle = <R>(work: () => Promise<R>) => Promise<R>;

/** Longest pause after one piece: one that waited for a lock says nothing about the load. */
const PAUSE_MS_MAX = 5_000;

/** @param pauseRatio how long the pause is, as a multiple of what the work took: under load both grow together */
export function createThrottle(pauseRatio: number, clock: { monotonicMs(): number }): Throttle {
  return async (work) => {
    const startMs = clock.monotonicMs();
    const result = await work();
    const pauseMs = Math.min(PAUSE_MS_MAX, (clock.monotonicMs() - startMs) * pauseRatio);
    if (pauseMs >= 1) await pause(pauseMs);
    return result;
  };
}
