import { AppError, messageIdFor, newMessageId } from '@tickmark/domain';

const KEY_CHARACTERS_MAX = 255;

/** The id that a request gets, and whether it follows from a key (so that the same one may have come before). */
export interface RequestKey {
  id: string;
  given: boolean;
}

/**
 * The id of a request from its `Idempotency-Key` header; a fresh one when there is none.
 *
 * @throws AppError VALIDATION_FAILED when the key is empty, too long, or has the reserved prefix `id:` without a UUID behind it.
 */
export function readIdempotencyKey(producer: string, header: string | string[] | undefined): RequestKey {
  if (header === undefined) return { id: newMessageId(), given: false };
  const key = decodeHeader(Array.isArray(header) ? header.join(', ') : header);
  if (key.length < 1 || key.length > KEY_CHARACTERS_MAX) throw refuse(`must have 1 to ${KEY_CHARACTERS_MAX} characters`);
  const id = messageIdFor(producer, key);
  if (id === null) throw refuse('the prefix id: is reserved and must be followed by the UUID of an earlier answer: use another key');
  return { id, given: true };
}

/** Node reads a header byte by byte; what is UTF-8 becomes the text that the caller wrote, so that a look-up by the same key finds it. */
function decodeHeader(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return text.includes('\uFFFD') ? bytes : text;
}

function refuse(message: string): AppError {
  return new AppError('VALIDATION_FAILED', `Correct the header Idempotency-Key and send the message again: ${message}.`, {
    details: [{ path: 'Idempotency-Key', message }],
  });
}
