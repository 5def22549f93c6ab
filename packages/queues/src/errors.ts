/** Certainly nothing was added: Redis was not reachable when asked, or refused the command. Safe to say so to a producer. */
export class QueueUnavailableError extends Error {
  override name = 'QueueUnavailableError';
}

/** The command may have reached Redis but no answer came in time: it may still land. Every job id is deterministic, so repeating is safe. */
export class QueueTimeoutError extends Error {
  override name = 'QueueTimeoutError';
}

/**
 * A copy of an error that may be somebody's `cause`: its name, code and the first line of its message.
 *
 * ioredis hangs the whole command with its arguments on its errors, and an error that nobody catches is printed with all that hangs on it.
 * (Our logger leaves such properties out by itself.)
 */
export function withoutPayload(error: unknown): Error {
  if (!(error instanceof Error)) return new Error('something that is no Error was thrown');
  const copy: Error & { code?: unknown } = new Error(error.message.split('\n', 1)[0]);
  copy.name = error.name;
  if ('code' in error && typeof error.code === 'string') copy.code = error.code;
  return copy;
}
