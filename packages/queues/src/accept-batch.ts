import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  AppError,
  batchMarkId,
  hashJsonInTurns,
  prepareBatchItem,
  readBatchItems,
  refuseBatchKey,
  type BatchAnswer,
  type MessageContext,
  type PreparedItem,
} from '@tickmark/domain';
import type { Logger, Settled } from '@tickmark/runtime';
import type { MessageAccepted, MessageAcceptor } from './accept-messages.ts';

/** Items prepared in one turn of the event loop: others, callbacks above all, must not wait for a whole batch. */
const ITEMS_PER_TURN = 50;

export interface BatchToAccept {
  /** The envelope as it came: `{ messages: […] }`. */
  input: unknown;
  /** Covers the whole batch, and gives item i the key `k/<i>` unless it has its own. */
  key: string | undefined;
  /** What the key is called where it came from. */
  keyPath: string;
}

/**
 * Accepts the items of a batch, each by itself: one that is refused holds up no other.
 *
 * @returns one result per item, in order; of an item whose acceptance is unknown the error's `details.id` says under which id to repeat it
 * @throws AppError for the batch as a whole: VALIDATION_FAILED (envelope or key), IDEMPOTENCY_KEY_REUSED when the key came with another body,
 *   QUEUE_UNAVAILABLE when the queue took none of them
 */
export async function acceptBatch(
  deps: { acceptor: MessageAcceptor; log: Logger },
  { input, key, keyPath }: BatchToAccept,
  context: MessageContext,
): Promise<BatchAnswer> {
  const items = readBatchItems(input);
  if (key !== undefined) {
    refuseBatchKey(key, keyPath);
    const { producer } = context;
    const requestHash = await hashJsonInTurns(input, nextTurn);
    await deps.acceptor.markRequest({ id: batchMarkId(producer, key), producer, requestHash });
  }
  const prepared = await prepareItems(items, key, context);
  const settled = (await deps.acceptor.acceptAll(prepared.flatMap((item) => (item instanceof AppError ? [] : [item])))).values();
  const outcomes = prepared.map((item) => (item instanceof AppError ? item : outcomeOf(deps.log, settled.next().value)));
  refuseWhenNoneWasTaken(outcomes);
  const accepted = outcomes.filter((outcome) => !(outcome instanceof AppError)).length;
  return { results: outcomes.map(toResult), accepted, rejected: outcomes.length - accepted };
}

async function prepareItems(items: readonly unknown[], batchKey: string | undefined, context: MessageContext) {
  const prepared: (PreparedItem | AppError)[] = [];
  for (const [index, item] of items.entries()) {
    // oxlint-disable-next-line no-await-in-loop -- the pause is the purpose
    if (index > 0 && index % ITEMS_PER_TURN === 0) await nextTurn();
    try {
      prepared.push(prepareBatchItem(item, { index, batchKey }, context));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      prepared.push(error);
    }
  }
  return prepared;
}

/** What nobody foresaw is told as any 500 is, because the other items of the batch may be accepted. */
function outcomeOf(log: Logger, settled: Settled<MessageAccepted> | undefined): MessageAccepted | AppError {
  if (settled?.ok === true) return settled.value;
  if (settled?.error instanceof AppError) return settled.error;
  log.error({ err: settled?.error }, 'one message of a batch failed');
  return new AppError('INTERNAL', 'Something failed on our side. Send this message again with the same key; it is never sent twice.');
}

function refuseWhenNoneWasTaken(outcomes: readonly (MessageAccepted | AppError)[]): void {
  const unavailable = outcomes.find((outcome) => outcome instanceof AppError && outcome.code === 'QUEUE_UNAVAILABLE');
  const mayBeTaken = (outcome: MessageAccepted | AppError) =>
    !(outcome instanceof AppError) || outcome.code === 'ACCEPTANCE_UNKNOWN' || outcome.code === 'INTERNAL';
  if (unavailable instanceof AppError && !outcomes.some(mayBeTaken)) throw unavailable;
}

function toResult(outcome: MessageAccepted | AppError, index: number): BatchAnswer['results'][number] {
  if (!(outcome instanceof AppError)) return { index, ...outcome };
  const { code, message, details } = outcome;
  return { index, error: { code, message, ...(details === undefined ? {} : { details }) } };
}
