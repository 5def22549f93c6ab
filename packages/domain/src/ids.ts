import { createHash } from 'node:crypto';
import { parse, v5, v7, validate } from 'uuid';

/** The namespace of every derived id. It never changes: with another one, a repeated key would send a second message. */
export const ID_NAMESPACE = '6f1c0f9e-3b1d-5c57-9a52-7d1f6a3f2b10';

const NAMESPACE_BYTES = parse(ID_NAMESPACE);

/** Keys with this prefix carry an id of ours verbatim (`id:<uuid>`), to repeat a request whose acceptance is unknown. */
export const VERBATIM_PREFIX = 'id:';

/** A fresh id for a message without an idempotency key: UUIDv7, so that ids follow time. */
export function newMessageId(): string {
  return v7();
}

/**
 * The id that (producer, key) always leads to: UUIDv5 over both, each with its length in front, so that ('a','bc') and ('ab','c') differ.
 *
 * @returns null when the key cannot be used: it has the reserved prefix `id:` but no UUID behind it, or it holds lone surrogates
 *   (all of these have the same bytes in UTF-8, so that different keys would lead to one id).
 */
export function messageIdFor(producer: string, idempotencyKey: string): string | null {
  if (!idempotencyKey.isWellFormed()) return null;
  if (idempotencyKey.startsWith(VERBATIM_PREFIX)) {
    const id = idempotencyKey.slice(VERBATIM_PREFIX.length).toLowerCase();
    return validate(id) ? id : null;
  }
  return derive(producer, idempotencyKey);
}

/** The id of an item of a batch that has the key `k`: that of a message with the key `k/<index>`. */
export function batchItemId(producer: string, batchKey: string, index: number): string {
  return derive(producer, `${batchKey}/${index}`);
}

/** Marks a batch as a whole under its key: another id than that of any message. */
export function batchMarkId(producer: string, batchKey: string): string {
  return derive(producer, batchKey, 'batch');
}

/** The id of a message that we did not send but whose status we were told. */
export function externalMessageId(messageSid: string): string {
  return derive('external', messageSid);
}

/** The id of the one retry that a message may have. */
export function retryMessageId(originalId: string): string {
  return derive(originalId, 'retry');
}

/**
 * SHA-256 (hex) of a JSON value with sorted keys: equal for equal values, whatever order their properties came in. A property that is
 * undefined counts as absent, and 32 levels are looked into: no valid request has more than four.
 */
export function hashJson(value: unknown): string {
  return createHash('sha256')
    .update([...canonicalJson(value)].join(''))
    .digest('hex');
}

/** Characters hashed in one turn: about a millisecond. */
const HASHED_PER_TURN = 65_536;

/** The same for a value that may be large: others get their turn in between. */
export async function hashJsonInTurns(value: unknown, nextTurn: () => Promise<unknown>): Promise<string> {
  const hash = createHash('sha256');
  let text = '';
  for (const part of canonicalJson(value)) {
    text += part;
    if (text.length < HASHED_PER_TURN) continue;
    hash.update(text);
    text = '';
    // oxlint-disable-next-line no-await-in-loop -- the pause is the purpose
    await nextTurn();
  }
  return hash.update(text).digest('hex');
}

function derive(...parts: string[]): string {
  // As bytes, because the library's own encoding throws on lone surrogates, which a sid of a hostile callback might hold.
  return v5(Buffer.from(parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join('')), NAMESPACE_BYTES);
}

/** No message needs so many levels; what lies deeper is refused, whatever it is, and must not exhaust the call stack before. */
const LEVELS_MAX = 32;

/** In parts. Values that differ only below the deepest level are told apart no more. */
function* canonicalJson(value: unknown, level = 0): Generator<string> {
  if (value === null || typeof value !== 'object') {
    yield JSON.stringify(value) ?? 'null';
  } else if (level === LEVELS_MAX) {
    yield '"…"';
  } else if (Array.isArray(value)) {
    yield '[';
    for (const [index, item] of value.entries()) {
      if (index > 0) yield ',';
      yield* canonicalJson(item, level + 1);
    }
    yield ']';
  } else {
    yield '{';
    const pairs = Object.entries(value)
      .filter(([, inner]) => inner !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1));
    for (const [index, [name, inner]] of pairs.entries()) {
      yield `${index > 0 ? ',' : ''}${JSON.stringify(name)}:`;
      yield* canonicalJson(inner, level + 1);
    }
    yield '}';
  }
}
