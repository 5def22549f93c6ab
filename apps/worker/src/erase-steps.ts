import { cancelForPerson, findPerson, findWaitingQuotes, listSids, type Person } from '@tickmark/delivery';
import { AppError } from '@tickmark/domain';
import type { EraseDeps } from './erase-person.ts';
import { waited } from './waited.ts';

/** A claim ends within a minute: what was claimed then is sent, or `unknown`. */
const SENDING_MS_MAX = 90_000;
/** An ingress gives its events back as soon as Redis answers; one that is silent is gone. */
const SPOOL_MS_MAX = 60_000;
const LOOK_AGAIN_MS = 500;
/** So many failures in a row are not of single messages. */
const FAILURES_MAX = 3;

/** What is accepted for others is sent as it was accepted. @throws AppError while a message to somebody else that waits quotes the person */
export async function refuseWhileQuoted({ db }: EraseDeps, person: Person, signal: AbortSignal): Promise<void> {
  const { count, ids } = await findWaitingQuotes(db, person, { signal });
  if (count === 0) return;
  const more = count > ids.length ? ` and ${count - ids.length} more` : '';
  throw new AppError(
    'VALIDATION_FAILED',
    `${count} ${count === 1 ? 'message' : 'messages'} to others not sent yet quote this number: ${ids.join(', ')}${more}. Cancel them, or wait until they are sent, and ask again.`,
  );
}

export async function untilNothingIsSpooled({ producers, clock }: EraseDeps, signal: AbortSignal): Promise<void> {
  const startMs = clock.monotonicMs();
  while (await producers.mayBeSpooled()) {
    if (clock.monotonicMs() - startMs > SPOOL_MS_MAX) {
      throw new AppError(
        'VALIDATION_FAILED',
        'Events may wait on the disk of an ingress, or one is silent: start it, see that it reaches Redis, and ask again.',
      );
    }
    await waited(LOOK_AGAIN_MS, signal);
    signal.throwIfAborted();
  }
}

/** Cancels what waits, and waits for what is being sent. @throws AppError when nobody knows whether something was sent */
export async function untilNothingIsSent({ db, clock }: EraseDeps, person: Person, signal: AbortSignal): Promise<void> {
  const startMs = clock.monotonicMs();
  for (;;) {
    await cancelForPerson(db, person);
    const { sending, unknown } = await findPerson(db, person);
    if (sending === 0 && unknown === 0) return;
    if (sending === 0) {
      throw new AppError(
        'VALIDATION_FAILED',
        `Of ${unknown} messages to this number nobody knows whether they were sent: decide about them (tickmark resolve --list), and ask again.`,
      );
    }
    if (clock.monotonicMs() - startMs > SENDING_MS_MAX)
      throw new AppError('VALIDATION_FAILED', 'A message to this number is being sent: ask again in a minute.');
    await waited(LOOK_AGAIN_MS, signal);
    signal.throwIfAborted();
  }
}

/**
 * Takes the contents of the person's messages away at Twilio while their sids are still known.
 *
 * @returns how many, and of how many the contents stay there
 * @throws AppError when Twilio does it for none
 */
export async function redactErased(
  { db, retention }: EraseDeps,
  person: Person,
  signal: AbortSignal,
): Promise<{ redacted: number; kept: number }> {
  const { redactAtTwilio } = retention;
  const result = { redacted: 0, kept: 0 };
  let failures = 0;
  for await (const sids of listSids(db, person)) {
    if (redactAtTwilio === undefined) {
      result.kept += sids.length;
      continue;
    }
    for (const sid of sids) {
      signal.throwIfAborted();
      const answer = await redactAtTwilio(sid);
      failures = answer === 'failed' ? failures + 1 : 0;
      if (failures === FAILURES_MAX) {
        throw new AppError(
          'VALIDATION_FAILED',
          'Twilio does not remove the contents of messages with this number: see that it is reachable and the messages are final, or set RETENTION_REDACT_AT_TWILIO=off to leave them there, and ask again.',
        );
      }
      if (answer === 'redacted') result.redacted += 1;
      if (answer !== 'redacted' && answer !== 'gone') result.kept += 1;
    }
  }
  return result;
}
