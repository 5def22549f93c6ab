import type { AcceptedMessage } from './accepted-message.ts';
import { AppError } from './api-errors.ts';
import { hashJson } from './ids.ts';
import { chooseSender, refuseForeignRecipient, refuseOwnAddress, type MessagePolicy } from './message-policy.ts';
import { validateMessageRequest, type MessageRequest } from './message-request.ts';
import type { Sender } from './senders.ts';
import { tellProblems } from './validation-problems.ts';

/** Who asks, and what is allowed. */
export interface MessageContext {
  /** Namespace of the idempotency keys: the API key's name. */
  producer: string;
  /** Aliases of the senders that the producer may use; null = all. */
  aliases: readonly string[] | null;
  policy: MessagePolicy;
  now: Date;
}

/**
 * Everything between a producer's request and the queue that needs no store: the same for HTTP, for each item of a batch and for a
 * producer in our own process.
 *
 * @param input the request as it came
 * @param id from `readRequestKey`
 * @throws AppError with the code and details for the producer: VALIDATION_FAILED, INVALID_RECIPIENT, BODY_TOO_LONG, UNKNOWN_SENDER,
 *   FORBIDDEN_SENDER or RECIPIENT_NOT_ALLOWED
 */
export function prepareMessage(input: unknown, id: string, { producer, aliases, policy, now }: MessageContext): AcceptedMessage {
  const request = parseMessageRequest(input, now);
  const sender = chooseSender(policy, aliases, request.from);
  refuseOwnAddress(sender, request.to);
  refuseForeignRecipient(policy, request.to);
  return toAcceptedMessage({ id, producer, sender, request, now });
}

/** What a producer is told of a message that was accepted: whether it waits for its time. */
export function statusAtAcceptance({ sendAt }: Pick<AcceptedMessage, 'sendAt'>): 'accepted' | 'scheduled' {
  return sendAt === null ? 'accepted' : 'scheduled';
}

function parseMessageRequest(input: unknown, now: Date): MessageRequest {
  const result = validateMessageRequest(input, now);
  if (result.ok) return result.request;
  throw new AppError(result.code, `Correct the message and send it again: ${tellProblems(result.problems)}.`, { details: result.problems });
}

function toAcceptedMessage(given: { id: string; producer: string; sender: Sender; request: MessageRequest; now: Date }): AcceptedMessage {
  const { id, producer, sender, request, now } = given;
  const isFuture = request.sendAt !== undefined && Date.parse(request.sendAt) > now.getTime();
  return {
    id,
    producer,
    requestHash: hashRequest(request),
    sender: sender.alias,
    senderAddress: sender.address,
    recipient: request.to,
    body: request.body ?? null,
    contentSid: request.contentSid ?? null,
    contentVariables: request.contentVariables ?? null,
    mediaUrl: request.mediaUrl ?? null,
    priority: request.priority,
    category: request.category ?? null,
    campaign: request.campaign ?? null,
    metadata: request.metadata ?? null,
    onUnknown: request.onUnknown,
    acceptedAt: now.toISOString(),
    // A time that has passed means now, however long ago it was: the stores take no year 0.
    sendAt: isFuture && request.sendAt !== undefined ? request.sendAt : null,
    validityPeriodSeconds: request.validityPeriod ?? null,
  };
}

/**
 * Of a property that came later than the first release its default is left out: the hash of a request that does not use it stays what it
 * was, so that a key repeated across an update is recognised.
 */
function hashRequest({ onUnknown, ...request }: MessageRequest): string {
  return hashJson(onUnknown === 'hold' ? request : { ...request, onUnknown });
}
