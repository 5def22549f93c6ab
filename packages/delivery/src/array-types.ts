import type postgres from 'postgres';

/**
 * Arrays as postgres.js is to write and read them, by the fixed OIDs of PostgreSQL's pg_type.dat.
 *
 * Left to itself, postgres.js 3.4.9 asks each new connection for these types, and nobody hears the error when the connection is lost at that
 * moment: an unhandled rejection, which ends the process. To be given together with `fetch_types: false`.
 */
export const ARRAY_TYPES: Record<string, postgres.PostgresType> = {
  booleans: arrayOf(1000, (text) => text === 't'),
  bytes: arrayOf(1001, (text) => Buffer.from(text.slice(2), 'hex')),
  smallints: arrayOf(1005, Number),
  integers: arrayOf(1007, Number),
  // As a single one: a text, because it may be too large for a number.
  bigints: arrayOf(1016, String),
  doubles: arrayOf(1022, Number),
  texts: arrayOf(1009, String),
  varchars: arrayOf(1015, String),
  names: arrayOf(1003, String),
  uuids: arrayOf(2951, String),
  timestamps: arrayOf(1185, (text) => new Date(text)),
  jsons: arrayOf(3807, (text) => JSON.parse(text) as unknown),
};

function arrayOf(oid: number, parse: (text: string) => unknown): postgres.PostgresType {
  return {
    to: oid,
    from: [oid],
    // Drizzle has written its arrays already.
    serialize: (value: unknown) => (Array.isArray(value) ? writeArray(value) : value),
    parse: (text: string) => Array.from(text.matchAll(ELEMENT), ([, quoted, plain]) => readElement(quoted, plain, parse)),
  };
}

/** Of a flat array: in quotes, with a backslash before what would end them, or as it is. */
const ELEMENT = /"((?:[^"\\]|\\.)*)"|([^{},]+)/gs;

function readElement(quoted: string | undefined, plain: string | undefined, parse: (text: string) => unknown): unknown {
  if (quoted !== undefined) return parse(quoted.replace(/\\(.)/gs, '$1'));
  return plain === undefined || plain === 'NULL' ? null : parse(plain);
}

/** Every batched statement comes through here with each of its values: looking for what to escape costs a third of replacing nothing. */
function writeArray(values: readonly unknown[]): string {
  let text = '{';
  for (const value of values) text += text.length === 1 ? writeElement(value) : `,${writeElement(value)}`;
  return `${text}}`;
}

function writeElement(value: unknown): string {
  if (value === null) return 'NULL';
  if (typeof value === 'number') return String(value);
  if (typeof value !== 'string') throw new TypeError(`an array for PostgreSQL cannot hold ${typeof value}`);
  return `"${value.includes('"') || value.includes('\\') ? value.replace(/["\\]/g, String.raw`\$&`) : value}"`;
}
