import { findDuePolls, isFurther, postponePoll, settlePoll, type DuePoll } from '@tickmark/delivery';
import { polledStatusEvent } from '@tickmark/domain';
import { workThrough } from './passes.ts';
import type { ReceiptPass } from './receipts.ts';

/** Messages that one pass asks about. */
const PASS_POLLS_MAX = 1_000;

/** After a question without an answer. */
const FAILED_SECONDS = 900;

/**
 * Asks Twilio about every message that is due for it, and gives what it tells to the queue of statuses: from there on it is a status like
 * any other.
 *
 * @returns how many were asked about
 */
export async function pollReceipts(pass: ReceiptPass): Promise<number> {
  const { db, times, concurrency, isOver } = pass;
  const { sureAfterSeconds } = times;
  let polls = 0;
  await workThrough(await findDuePolls(db, { sureAfterSeconds, limit: PASS_POLLS_MAX }), { concurrency, isOver }, async (poll) => {
    polls += 1;
    await pollOne(pass, poll);
  });
  return polls;
}

async function pollOne({ db, lister, producers, clock, times, tell }: ReceiptPass, poll: DuePoll): Promise<void> {
  const answer = await lister.fetch(poll.messageSid);
  if (answer.kind === 'failed') {
    await postponePoll(db, poll.messageId, { bySeconds: FAILED_SECONDS });
    tell('failed');
    return;
  }
  const told = answer.kind === 'found' && isFurther(answer.message, poll) ? answer.message : null;
  // Before the poll is settled: a process that dies in between asks again.
  if (told) await producers.addStatusEvents([polledStatusEvent(told, 'poll', clock.now())]);
  await settlePoll(db, poll, times);
  tell(answer.kind === 'gone' ? 'gone' : told ? 'repaired' : 'current');
}
