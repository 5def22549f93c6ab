import { readRequestKey, type RequestKey } from '@tickmark/domain';

/**
 * The id of a request from its `Idempotency-Key` header; a fresh one when there is none.
 *
 * @throws AppError VALIDATION_FAILED when the key cannot be used.
 */
export function readIdempotencyKey(producer: string, header: string | string[] | undefined): RequestKey {
  return readRequestKey(producer, readKeyHeader(header), 'Idempotency-Key');
}

/** The text of the header; undefined when there is none. */
export function readKeyHeader(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  return decodeHeader(Array.isArray(header) ? header.join(', ') : header);
}

/** Node reads a header byte by byte; what is UTF-8 becomes the text that the caller wrote, so that a look-up by the same key finds it. */
function decodeHeader(bytes: string): string {
  const text = Buffer.from(bytes, 'latin1').toString('utf8');
  return text.includes('\uFFFD') ? bytes : text;
}
