/** Certainly nothing was added: Redis was not reachable when asked, or refused the command. Safe to say so to a producer. */
export class QueueUnavailableError extends Error {
  override name = 'QueueUnavailableError';
}

/** The command may have reached Redis but no answer came in time: it may still land. Every job id is deterministic, so repeating is safe. */
export class QueueTimeoutError extends Error {
  override name = 'QueueTimeoutError';
}

const MESSAGE_LENGTH_MAX = 300;

/**
 * A copy of an error that is fit for a log: its name, code, stack frames, the first line of its message, and the same of its cause.
 *
 * Everything else is dropped because that is where payloads hide: ioredis hangs the whole command with its arguments on every reply error,
 * database drivers add the row (`detail`), the query's parameters, or put them on later lines of the message.
 */
export function withoutPayload(error: unknown): Error {
  if (!(error instanceof Error)) return new Error('something that is no Error was thrown');
  const [firstLine = ''] = error.message.split('\n', 1);
  const copy: Error & { code?: unknown } = new Error(firstLine.slice(0, MESSAGE_LENGTH_MAX));
  copy.name = error.name;
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  copy.stack = [`${copy.name}: ${copy.message}`, ...frames].join('\n');
  if ('code' in error && (typeof error.code === 'string' || typeof error.code === 'number')) copy.code = error.code;
  if (error.cause instanceof Error && error.cause !== error) copy.cause = withoutPayload(error.cause);
  return copy;
}
