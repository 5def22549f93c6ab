import { redactText } from './redaction.ts';

/** Own properties of errors that are worth a log line and never hold a value of a message, a credential or a header. */
const TELLING_PROPERTIES = [
  'code',
  'syscall',
  'address',
  'port',
  'statusCode',
  'httpStatus',
  'errorCode',
  'severity',
  'constraint_name',
  'table_name',
  'routine',
  'deadlineMs',
  'started',
] as const;

/** Deeper causes repeat what the upper ones say. */
const CAUSES_MAX = 4;
const ERRORS_MAX = 5;
const MESSAGE_LENGTH_MAX = 500;

interface LoggedError {
  type: string;
  message: string;
  stack?: string;
  cause?: unknown;
  errors?: unknown[];
  [property: string]: unknown;
}

/**
 * An error as a log shows it: its type, the first line of its message, where it came from, its causes, and a few properties that are
 * known to be harmless. Requests, configurations, headers, SQL and its parameters, which libraries attach to their errors, are left
 * out, because they hold phone numbers, bodies and credentials.
 */
export function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return typeof error === 'object' && error !== null ? `[${error.constructor?.name ?? 'object'}]` : error;
  const logged: LoggedError = { type: error.name, message: describe(error) };
  for (const property of TELLING_PROPERTIES) {
    const value: unknown = Reflect.get(error, property);
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') logged[property] = value;
  }
  const frames = error.stack?.split('\n').filter((line) => /^\s+at /.test(line));
  if (frames !== undefined && frames.length > 0) logged.stack = frames.join('\n');
  if (depth < CAUSES_MAX && error.cause !== undefined) logged.cause = serializeError(error.cause, depth + 1);
  if (depth < CAUSES_MAX && error instanceof AggregateError) {
    logged.errors = error.errors.slice(0, ERRORS_MAX).map((inner: unknown) => serializeError(inner, depth + 1));
  }
  return logged;
}

/** Libraries put SQL parameters and answers behind the first line; PostgreSQL quotes the value that it could not read at the end. */
function describe(error: Error): string {
  const firstLine = redactText(error.message.split('\n', 1)[0] ?? '').slice(0, MESSAGE_LENGTH_MAX);
  return 'severity' in error ? firstLine.replace(/: ".*"$/, ': "[redacted]"') : firstLine;
}
