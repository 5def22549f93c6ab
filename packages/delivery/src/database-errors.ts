/**
 * `infrastructure`: the database could not do it now; the same again may succeed. `data`: a value of one item is the reason; the same again
 * fails for ever. `other`: our own mistake (a missing table, a wrong statement).
 */
export type DatabaseErrorClass = 'infrastructure' | 'data' | 'other';

/**
 * Says what an error thrown by a statement means, by its code alone; an error that wraps another (Drizzle's do) counts as the inner one.
 *
 * Source of the codes: PostgreSQL's appendix A, Node's system errors, and postgres.js for those that begin with CONNECT.
 */
export function classifyDatabaseError(error: unknown): DatabaseErrorClass {
  const code = codeOf(error);
  if (code === undefined) return 'other';
  // First, because EPIPE looks like an SQLSTATE.
  if (CONNECTION_CODES.has(code)) return 'infrastructure';
  return (SQLSTATE.test(code) ? (SQLSTATE_CLASSES[code.slice(0, 2)] ?? SQLSTATES[code]) : undefined) ?? 'other';
}

/** Two statements that wait for each other, or one snapshot that came too late: the same statement again succeeds. */
export function isRaceError(error: unknown): boolean {
  const code = codeOf(error);
  return code === '40P01' || code === '40001' || (code === '23505' && RACED_CONSTRAINTS.has(constraintOf(error) ?? ''));
}

/** A lock was held by somebody else for longer than we wait: the same statement again may get it. */
export function isLockTimeout(error: unknown): boolean {
  return codeOf(error) === '55P03';
}

/** The statement ran longer than it may: the same again takes as long. */
export function isStatementTimeout(error: unknown): boolean {
  return codeOf(error) === '57014';
}

const SQLSTATE = /^[0-9A-Z]{5}$/;

const SQLSTATE_CLASSES: Readonly<Record<string, DatabaseErrorClass>> = {
  '08': 'infrastructure', // connection
  '25': 'infrastructure', // read-only: the server became a replica
  '28': 'infrastructure', // credentials, while they are rotated
  '3D': 'infrastructure', // the database is not there yet
  '40': 'infrastructure', // deadlock, serialization
  '53': 'infrastructure', // too many connections, disk full
  '57': 'infrastructure', // shutdown, statement time-out
  '58': 'infrastructure', // input or output
  '21': 'data', // cardinality
  '22': 'data', // values that do not fit
  '23': 'data', // constraints
  '54': 'data', // a value that is too long for an index
};

const SQLSTATES: Readonly<Record<string, DatabaseErrorClass>> = {
  '55P03': 'infrastructure', // lock time-out
};

const CONNECTION_CODES: ReadonlySet<string> = new Set([
  'CONNECTION_CLOSED',
  'CONNECTION_ENDED',
  'CONNECTION_DESTROYED',
  'CONNECT_TIMEOUT',
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  // The folder of a UNIX socket without a server in it.
  'ENOENT',
  'EADDRNOTAVAIL',
  'EMFILE',
]);

/** A sid that another transaction bound, or a row that it made, after our snapshot: the next one sees it and takes the other way. */
const RACED_CONSTRAINTS: ReadonlySet<string> = new Set(['whatsapp_messages_sid', 'message_attempts_sid']);

function codeOf(error: unknown): string | undefined {
  return chain(error).find((link) => typeof link.code === 'string')?.code as string | undefined;
}

function constraintOf(error: unknown): string | undefined {
  return chain(error).find((link) => typeof link.constraint_name === 'string')?.constraint_name as string | undefined;
}

interface ErrorLink {
  code?: unknown;
  constraint_name?: unknown;
  cause?: unknown;
  errors?: unknown;
}

/** The error and what caused it, outermost first; of an AggregateError (Node tried several addresses) the first part. */
function chain(error: unknown): ErrorLink[] {
  const links: ErrorLink[] = [];
  for (let link = error; typeof link === 'object' && link !== null && links.length < 8;) {
    links.push(link);
    const { cause, errors } = link as ErrorLink;
    link = cause ?? (Array.isArray(errors) ? (errors as unknown[])[0] : undefined);
  }
  return links;
}
