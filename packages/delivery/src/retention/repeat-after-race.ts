import { setTimeout as delay } from 'node:timers/promises';
import { isLockTimeout, isRaceError } from '../database-errors.ts';

const TRIES_MAX = 10;
const DELAY_MS_MAX = 200;

/** Runs one transaction again that lost against another one, or waited too long for its locks. Only for what nobody waits for. */
export async function repeatAfterRace<R>(run: () => Promise<R>): Promise<R> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await run();
    } catch (error) {
      if (!(isRaceError(error) || isLockTimeout(error)) || tries === TRIES_MAX) throw error;
      await delay(Math.random() * DELAY_MS_MAX * tries);
    }
  }
}
