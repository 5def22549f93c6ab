/**
 * Text that Postgres can store: without NUL, and with U+FFFD for lone surrogates. One such character would otherwise fail a whole batch
 * (SQLSTATE 22021, 22P05). Null stays null.
 */
export function sanitizeText<T extends string | null>(text: T): T {
  return (text === null ? null : text.replaceAll('\0', '').toWellFormed()) as T;
}

/** JSON text of a value with every string in it, keys too, as {@link sanitizeText} leaves it; null stays null. */
export function sanitizedJson(value: unknown): string | null {
  return value === null || value === undefined ? null : JSON.stringify(sanitizeDeep(value));
}

function sanitizeDeep(value: unknown): unknown {
  if (typeof value === 'string') return sanitizeText(value);
  if (Array.isArray(value)) return value.map(sanitizeDeep);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [sanitizeText(key), sanitizeDeep(inner)]));
}
