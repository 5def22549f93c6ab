import { deleteRequestedLetter, findRequestedLetters, refuseRetry, type Database } from '@tickmark/delivery';
import type { Producers } from '@tickmark/queues';
import type { Logger } from '@tickmark/runtime';

/** Letters that one pass gives back. */
const PASS_LETTERS_MAX = 500;

const NOT_UNDERSTOOD = 'this release does not understand the payload: it was written by a newer or much older one, or is damaged';

/**
 * Gives dead letters that an operator wants tried again back to the queues that they came from. A letter is deleted only when its queue has it,
 * so it may be carried out twice, which every queue allows, and never not at all; one that fails again becomes a new letter.
 *
 * By one process at a time. @returns how many were given back. Safe to repeat.
 */
export async function returnDeadLetters({
  db,
  producers,
  log,
}: {
  db: Pick<Database, 'sql'>;
  producers: Pick<Producers, 'addDeadLetter'>;
  log: Logger;
}): Promise<number> {
  let returned = 0;
  for (const { id, queue, payload } of await findRequestedLetters(db, { limit: PASS_LETTERS_MAX })) {
    // oxlint-disable-next-line no-await-in-loop -- one at a time: most often there is one, and a queue that is away is noticed with the first
    const refused = await giveBack(producers, { id, queue, item: payload });
    if (refused === null) {
      // oxlint-disable-next-line no-await-in-loop -- as above
      await deleteRequestedLetter(db, id);
      returned += 1;
    } else {
      // oxlint-disable-next-line no-await-in-loop -- as above
      await refuseRetry(db, id, refused);
      log.warn({ letter: id, queue, reason: refused }, 'dead letter cannot be tried again');
    }
  }
  if (returned > 0) log.info({ returned }, 'dead letters given back to their queues');
  return returned;
}

/** @returns null when the queue has it, else the reason for which this letter, and no other, cannot be given back. Rejects while Redis is away */
async function giveBack(
  producers: Pick<Producers, 'addDeadLetter'>,
  letter: Parameters<Producers['addDeadLetter']>[0],
): Promise<string | null> {
  try {
    return (await producers.addDeadLetter(letter)) ? null : NOT_UNDERSTOOD;
  } catch (error) {
    // Larger than a job may be.
    if (error instanceof RangeError) return error.message;
    throw error;
  }
}
