import { setTimeout as pause } from 'node:timers/promises';
import type { Clock } from '@tickmark/runtime';
import { isDatabaseAway } from './is-database-away.ts';

const REPEAT_MS_MAX = 5_000;
const PAUSE_MS = 200;

/**
 * Repeats an idempotent write while the database is away, for five seconds at most.
 *
 * @throws the last error when the time is over, and any error that is not the database's being away at once.
 */
export async function repeatUntilWritten<T>(write: () => Promise<T>, clock: Clock): Promise<T> {
  const startedMs = clock.monotonicMs();
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!isDatabaseAway(error) || clock.monotonicMs() - startedMs > REPEAT_MS_MAX) throw error;
      await pause(PAUSE_MS);
    }
  }
}
