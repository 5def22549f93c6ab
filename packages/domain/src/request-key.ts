import { AppError } from './api-errors.ts';
import { messageIdFor, newMessageId, VERBATIM_PREFIX } from './ids.ts';

const KEY_CHARACTERS_MAX = 255;

/** The id that a request gets, and whether it follows from a key (so that the same one may have come before). */
export interface RequestKey {
  id: string;
  given: boolean;
}

/**
 * The id of a request from its idempotency key; a fresh one when there is none.
 *
 * @param path what the caller calls the key: the name of a header or of a property
 * @throws AppError VALIDATION_FAILED when the key is empty, too long, or has the reserved prefix `id:` without a UUID behind it.
 */
export function readRequestKey(producer: string, key: string | undefined, path: string): RequestKey {
  if (key === undefined) return { id: newMessageId(), given: false };
  refuseUnusable(key, path);
  const id = messageIdFor(producer, key);
  if (id !== null) return { id, given: true };
  throw refuseKey(path, 'the prefix id: is reserved and must be followed by the UUID of an earlier answer: use another key');
}

/** @throws AppError VALIDATION_FAILED when a whole batch cannot have this key: as above, or it has the prefix `id:`, which names one message. */
export function refuseBatchKey(key: string, path: string): void {
  refuseUnusable(key, path);
  if (key.startsWith(VERBATIM_PREFIX)) throw refuseKey(path, 'the prefix id: names one message: use another key for a batch');
}

function refuseUnusable(key: string, path: string): void {
  if (key.length < 1 || key.length > KEY_CHARACTERS_MAX) throw refuseKey(path, `must have 1 to ${KEY_CHARACTERS_MAX} characters`);
  if (!key.isWellFormed()) throw refuseKey(path, 'must not contain lone surrogates');
}

function refuseKey(path: string, message: string): AppError {
  return new AppError('VALIDATION_FAILED', `Correct ${path} and send the request again: ${message}.`, { details: [{ path, message }] });
}
