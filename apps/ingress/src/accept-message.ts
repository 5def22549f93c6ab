import { AppError, statusAtAcceptance, type AcceptedMessage } from '@tickmark/domain';
import { QueueTimeoutError, type Producers } from '@tickmark/queues';
import { DeadlineExceededError, withDeadline, type Logger, type Metrics } from '@tickmark/runtime';
import type { Commits } from './commits.ts';
import { isCertainlyNotAdded } from './queue-failure.ts';

const RETRY_AFTER_SECONDS = 2;

export interface AcceptMessageDeps {
  producers: Pick<Producers, 'markIdempotent'>;
  commits: Pick<Commits, 'intake'>;
  /** Throws when so much waits that no more may be promised. */
  refuseWhenBehind: () => void;
  /** For the marker of an idempotency key. */
  markerDeadlineMs: number;
  metrics: Pick<Metrics, 'idempotencyConflicts'>;
  log: Logger;
}

/**
 * Makes one message durable in Redis. A repeat goes through intake as well, where its row meets the one that is there: so a crash
 * between the marker and the queue loses nothing. The marker only tells repeats apart.
 *
 * @param keyGiven whether its id follows from a key, so that it may have come before
 * @throws AppError IDEMPOTENCY_KEY_REUSED; QUEUE_UNAVAILABLE when certainly nothing was accepted; ACCEPTANCE_UNKNOWN when it may have been.
 */
export async function acceptMessage(deps: AcceptMessageDeps, message: AcceptedMessage, keyGiven: boolean) {
  deps.refuseWhenBehind();
  const replayed = keyGiven && (await isRepeat(deps, message));
  await commitMessage(deps, message);
  return { id: message.id, status: statusAtAcceptance(message), replayed };
}

async function isRepeat(deps: AcceptMessageDeps, { id, producer, requestHash }: AcceptedMessage): Promise<boolean> {
  const { producers, markerDeadlineMs, metrics, log } = deps;
  let earlier: string | null;
  try {
    earlier = await withDeadline(producers.markIdempotent({ id, producer, requestHash }), markerDeadlineMs);
  } catch (error) {
    // Whatever became of the marker, nothing was added to the queue.
    log.debug({ messageId: id, err: error }, 'idempotency marker could not be read');
    throw unavailable(error);
  }
  if (earlier !== null && earlier !== requestHash) {
    metrics.idempotencyConflicts.inc();
    throw new AppError(
      'IDEMPOTENCY_KEY_REUSED',
      'This Idempotency-Key came with another message before. Use a new key for a new message, or repeat the first one unchanged.',
      { details: { id } },
    );
  }
  return earlier !== null;
}

async function commitMessage({ commits }: AcceptMessageDeps, message: AcceptedMessage): Promise<void> {
  try {
    await commits.intake[message.priority].commit(message);
  } catch (error) {
    if (isCertainlyNotAdded(error)) throw unavailable(error);
    if (!(error instanceof QueueTimeoutError || error instanceof DeadlineExceededError)) throw error;
    throw new AppError(
      'ACCEPTANCE_UNKNOWN',
      `The queue did not confirm in time; the message may still be accepted. Repeat it with the header Idempotency-Key: id:${message.id}, which never sends it twice.`,
      { cause: error, details: { id: message.id }, retryAfterSeconds: RETRY_AFTER_SECONDS },
    );
  }
}

function unavailable(cause: unknown): AppError {
  return new AppError('QUEUE_UNAVAILABLE', 'The queue is not available and nothing was accepted. Send the same request again later.', {
    cause,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}
