import { AppError, statusAtAcceptance, type AcceptedMessage, type PreparedItem, type Priority } from '@tickmark/domain';
import {
  createGroupCommit,
  DeadlineExceededError,
  ItemTooLargeError,
  withDeadline,
  type Clock,
  type GroupCommit,
  type GroupCommitOptions,
  type Logger,
  type Settled,
} from '@tickmark/runtime';
import { DEADLINES, type Deadlines } from './deadlines.ts';
import { QueueTimeoutError, QueueUnavailableError } from './errors.ts';
import { createIntakeAdmission } from './intake-admission.ts';
import type { IdempotencyMark, Producers } from './producers.ts';

const RETRY_AFTER_SECONDS = 2;

/** Of our metrics, or anything that looks like them. */
export type AcceptorMetrics = GroupCommitOptions<unknown, unknown>['metrics'] & {
  idempotencyConflicts: { inc(): void };
  requestsShed: { inc(labels: { shed: 'first'; reason: 'intake_age' | 'redis_memory' }): void };
};

export interface MessageAcceptorDeps {
  producers: Pick<Producers, 'addIntake' | 'markIdempotent' | 'oldestIntakeAgeMs' | 'memoryShare'>;
  metrics: AcceptorMetrics;
  clock: Clock;
  log: Logger;
  deadlines?: Pick<Deadlines, 'markerMs' | 'commitMs'>;
}

export interface MessageAccepted {
  id: string;
  status: 'accepted' | 'scheduled';
  /** The same request of this producer came before, within a day. */
  replayed: boolean;
}

/**
 * Makes messages durable in Redis. A repeat goes through intake as well, where its row meets the one that is there: so a crash
 * between the marker and the queue loses nothing. The marker only tells repeats apart.
 *
 * Each call settles within the sum of the two deadlines. Errors are AppErrors: IDEMPOTENCY_KEY_REUSED and PAYLOAD_TOO_LARGE;
 * QUEUE_UNAVAILABLE when certainly nothing was accepted; ACCEPTANCE_UNKNOWN, with `details.id`, when the message may have been.
 */
export interface MessageAcceptor {
  accept(item: PreparedItem): Promise<MessageAccepted>;
  /** Each with its own result, in order; repeats within the items are recognised too. @throws only QUEUE_UNAVAILABLE, for all of them */
  acceptAll(items: readonly PreparedItem[]): Promise<Settled<MessageAccepted>[]>;
  /** Marks a whole request, apart from the messages in it. @throws as `accept` */
  markRequest(mark: IdempotencyMark): Promise<void>;
  /** Resolves when everybody who waits was answered. */
  drain(): Promise<void>;
}

export function createMessageAcceptor(deps: MessageAcceptorDeps): MessageAcceptor {
  const intake = createIntakeCommits(deps);
  const refuseWhenFull = createIntakeAdmission(deps);

  const acceptAll = async (items: readonly PreparedItem[]): Promise<Settled<MessageAccepted>[]> => {
    refuseWhenFull();
    const repeats = await findRepeats(deps, items);
    return Promise.all(
      items.map(async ({ message }, index): Promise<Settled<MessageAccepted>> => {
        const repeat = repeats[index];
        if (repeat?.ok === false) return repeat;
        const refusal = await commitMessage(intake[message.priority], message);
        if (refusal !== null) return { ok: false, error: refusal };
        return { ok: true, value: { id: message.id, status: statusAtAcceptance(message), replayed: repeat?.value ?? false } };
      }),
    );
  };

  return {
    acceptAll,
    accept: async (item) => valueOf(await acceptAll([item])),
    markRequest: async (mark) => {
      refuseWhenFull();
      valueOf(await readMarks(deps, [mark]));
    },
    drain: async () => void (await Promise.all([intake.transactional.drain(), intake.bulk.drain()])),
  };
}

/** Apart from each other: a batch has one priority, and a campaign must not delay a one-time password. */
function createIntakeCommits({ producers, metrics, deadlines = DEADLINES }: MessageAcceptorDeps) {
  const commitInto = (priority: Priority) =>
    createGroupCommit<AcceptedMessage, void>({
      site: 'intake',
      metrics,
      deadlineMs: deadlines.commitMs,
      sizeOf: (message) => Buffer.byteLength(JSON.stringify(message)),
      // One job holds the batch, so all of its messages share one fate.
      flush: async (messages) => {
        await producers.addIntake(messages, priority);
        return messages.map(() => ({ ok: true, value: undefined }));
      },
    });
  return { transactional: commitInto('transactional'), bulk: commitInto('bulk') };
}

/** For each item, whether the same request came before; the error of one whose key came with other content. */
async function findRepeats(deps: MessageAcceptorDeps, items: readonly PreparedItem[]): Promise<Settled<boolean>[]> {
  const keyed = items.filter(({ keyGiven }) => keyGiven).map(({ message }) => message);
  const marks = (await readMarks(deps, keyed)).values();
  return items.map(({ keyGiven }) => (keyGiven ? marks.next().value : undefined) ?? { ok: true, value: false });
}

async function readMarks(deps: MessageAcceptorDeps, marks: readonly IdempotencyMark[]): Promise<Settled<boolean>[]> {
  if (marks.length === 0) return [];
  const { producers, metrics, log, deadlines = DEADLINES } = deps;
  let earlier: (string | null)[];
  try {
    earlier = await withDeadline(producers.markIdempotent(marks), deadlines.markerMs);
  } catch (error) {
    // Whatever became of the markers, nothing was added to the queue.
    log.debug({ marks: marks.length, err: error }, 'idempotency markers could not be read');
    return marks.map(() => ({ ok: false, error: unavailable(error) }));
  }
  return marks.map(({ id, requestHash }, index): Settled<boolean> => {
    const hash = earlier[index] ?? null;
    if (hash === null || hash === requestHash) return { ok: true, value: hash !== null };
    metrics.idempotencyConflicts.inc();
    const message =
      'This idempotency key came with another request before. Use a new key for a new request, or repeat the first one unchanged.';
    return { ok: false, error: new AppError('IDEMPOTENCY_KEY_REUSED', message, { details: { id } }) };
  });
}

/** @returns null when the message is durable, else what its producer is to be told */
async function commitMessage(commit: GroupCommit<AcceptedMessage, void>, message: AcceptedMessage): Promise<unknown> {
  try {
    await commit.commit(message);
    return null;
  } catch (error) {
    if (error instanceof ItemTooLargeError)
      return new AppError('PAYLOAD_TOO_LARGE', 'This message is too large. Make it smaller.', { cause: error });
    if (isCertainlyNotAdded(error)) return unavailable(error);
    if (!(error instanceof QueueTimeoutError || error instanceof DeadlineExceededError)) return error;
    return new AppError(
      'ACCEPTANCE_UNKNOWN',
      `The queue did not confirm in time; the message may still be accepted. Repeat it with the idempotency key id:${message.id}, which never sends it twice.`,
      { cause: error, details: { id: message.id }, retryAfterSeconds: RETRY_AFTER_SECONDS },
    );
  }
}

/** True when what failed has certainly left nothing in Redis; false when it may still land. */
function isCertainlyNotAdded(error: unknown): boolean {
  return error instanceof QueueUnavailableError || (error instanceof DeadlineExceededError && !error.started);
}

function unavailable(cause: unknown): AppError {
  return new AppError('QUEUE_UNAVAILABLE', 'The queue is not available and nothing was accepted. Send the same request again later.', {
    cause,
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  });
}

function valueOf<T>(results: readonly Settled<T>[]): T {
  const [result] = results;
  if (result?.ok === true) return result.value;
  throw result?.error ?? new Error('one item had no result');
}
