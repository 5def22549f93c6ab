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
 */
export async function pollReceipts(pass: ReceiptPass): Promise<void> {
  const due = await findDuePolls(pass.db, { sureAfterSeconds: pass.times.sureAfterSeconds, limit: PASS_POLLS_MAX });
  await workThrough(due, pass, (poll) => pollOne(pass, poll));
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
  await settlePoll(db, { ...poll, answer: answer.kind === 'gone' ? 'gone' : answer.message.rawStatus }, times);
  tell(answer.kind === 'gone' ? 'gone' : told ? 'repaired' : 'current');
}
