import { setTimeout as delay } from 'node:timers/promises';
import type { Settled } from '@tickmark/runtime';
import { classifyDatabaseError, isRaceError } from './database-errors.ts';

/** Races end with the second or third try; more of them than this are trouble of another kind. */
const TRIES_MAX = 5;
const RETRY_DELAY_MS_MAX = 25;

/**
 * Runs one idempotent statement for a batch and answers each item by itself, in the order of the items.
 *
 * - A deadlock or a lost race: the same batch again, up to five times.
 * - A value that the database refuses: halves, down to the item whose value it is. That one alone gets the error.
 * - Anything else throws for the whole batch, which may then be given again as it was.
 */
export async function settleBatch<T, R>(items: readonly T[], run: (items: readonly T[]) => Promise<R[]>): Promise<Settled<R>[]> {
  if (items.length === 0) return [];
  try {
    return (await runAgainAfterRaces(items, run)).map((value) => ({ ok: true, value }));
  } catch (error) {
    if (classifyDatabaseError(error) !== 'data') throw error;
    if (items.length === 1) return [{ ok: false, error }];
  }
  const middle = Math.ceil(items.length / 2);
  return [...(await settleBatch(items.slice(0, middle), run)), ...(await settleBatch(items.slice(middle), run))];
}

async function runAgainAfterRaces<T, R>(items: readonly T[], run: (items: readonly T[]) => Promise<R[]>): Promise<R[]> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await run(items);
    } catch (error) {
      if (!isRaceError(error) || tries === TRIES_MAX) throw error;
      await delay(Math.random() * RETRY_DELAY_MS_MAX * tries);
    }
  }
}
