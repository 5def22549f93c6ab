import { z } from 'zod';
import type { AcceptedMessage } from './accepted-message.ts';
import { API_ERRORS, AppError, type ApiErrorCode } from './api-errors.ts';
import { batchItemId } from './ids.ts';
import { text } from './message-fields.ts';
import { messageRequestSchema, type MessageInput } from './message-request.ts';
import { prepareMessage, type MessageContext } from './prepare-message.ts';
import { readRequestKey, type RequestKey } from './request-key.ts';
import { describeIssues, tellProblems } from './validation-problems.ts';

const BATCH_ITEMS_MAX = 1_000;

/** One item as a producer writes it. For documentation and types: what is checked is checked by `prepareBatchItem`, item by item. */
const batchItemSchema = messageRequestSchema.safeExtend({
  idempotencyKey: text(255)
    .optional()
    .describe('As the header of a single message; without one the item has that of the batch and its place'),
});

/** One item of a batch as a producer writes it in TypeScript. */
export type BatchItemInput = MessageInput & { idempotencyKey?: string | undefined };

const envelopeSchema = z.strictObject(
  {
    messages: z
      .array(z.unknown(), 'must be a list of messages')
      .min(1, 'must hold at least one message')
      .max(BATCH_ITEMS_MAX, `must hold at most ${BATCH_ITEMS_MAX} messages: send the rest in another batch`),
  },
  'must be an object with the property messages',
);

/** `POST /v1/messages/batch`, for documentation. */
export const batchRequestSchema = z.strictObject({ messages: z.array(batchItemSchema).min(1).max(BATCH_ITEMS_MAX) });

export const batchAnswerSchema = z.object({
  results: z
    .array(
      z.union([
        z.object({ index: z.int(), id: z.uuid(), status: z.enum(['accepted', 'scheduled']), replayed: z.boolean() }),
        z.object({
          index: z.int(),
          error: z.object({
            code: z.enum(Object.keys(API_ERRORS) as ApiErrorCode[]),
            message: z.string(),
            details: z.unknown().optional(),
          }),
        }),
      ]),
    )
    .describe('One per item, in their order'),
  accepted: z.int(),
  rejected: z.int(),
});

export type BatchAnswer = z.output<typeof batchAnswerSchema>;

/** The items of a batch, not looked into. @throws AppError VALIDATION_FAILED when the envelope itself is wrong */
export function readBatchItems(input: unknown): readonly unknown[] {
  const parsed = envelopeSchema.safeParse(input);
  if (parsed.success) return parsed.data.messages;
  const details = describeIssues(parsed.error.issues);
  throw new AppError('VALIDATION_FAILED', `Correct the batch and send it again: ${tellProblems(details)}.`, { details });
}

/** A message from `prepareMessage`, and whether its id follows from a key, so that it may have come before. */
export interface PreparedItem {
  message: AcceptedMessage;
  keyGiven: boolean;
}

/**
 * One item of a batch, as `prepareMessage` prepares it. Its id follows from its own key, else from that of the batch and its place, else
 * it is fresh.
 *
 * @param batchKey one that `refuseBatchKey` lets pass
 * @throws AppError as `prepareMessage`
 */
export function prepareBatchItem(
  input: unknown,
  place: { index: number; batchKey: string | undefined },
  context: MessageContext,
): PreparedItem {
  const { ownKey, request } = splitItem(input);
  const key = readItemKey(ownKey, place, context.producer);
  return { message: prepareMessage(request, key.id, context), keyGiven: key.given };
}

function splitItem(input: unknown): { ownKey: unknown; request: unknown } {
  // What is no object is refused by the message's own validation.
  if (typeof input !== 'object' || input === null || Array.isArray(input) || !('idempotencyKey' in input)) {
    return { ownKey: undefined, request: input };
  }
  const { idempotencyKey, ...request } = input;
  return { ownKey: idempotencyKey, request };
}

function readItemKey(ownKey: unknown, { index, batchKey }: { index: number; batchKey: string | undefined }, producer: string): RequestKey {
  const path = 'idempotencyKey';
  if (ownKey !== undefined && typeof ownKey !== 'string') {
    const message = 'must be a string';
    throw new AppError('VALIDATION_FAILED', `Correct the message and send it again: ${path}: ${message}.`, {
      details: [{ path, message }],
    });
  }
  if (ownKey === undefined && batchKey !== undefined) return { id: batchItemId(producer, batchKey, index), given: true };
  return readRequestKey(producer, ownKey, path);
}
