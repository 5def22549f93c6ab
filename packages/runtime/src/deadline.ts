/** What was waited for did not come in time. */
export class DeadlineExceededError extends Error {
  readonly deadlineMs: number;
  /** False when the work had certainly not begun and never will; true when it may still take effect. */
  readonly started: boolean;

  constructor(what: string, deadlineMs: number, options: { started: boolean } = { started: true }) {
    super(`${what} took longer than ${deadlineMs} ms`);
    this.name = 'DeadlineExceededError';
    this.deadlineMs = deadlineMs;
    this.started = options.started;
  }
}

/**
 * Waits for a promise, but not longer than `ms`.
 *
 * @param makeError makes the error of a time-out; by default a DeadlineExceededError.
 * @returns the promise's own result or error when it settles in time. A result or rejection that comes later is dropped; it never
 *   becomes an unhandled rejection. The work behind the promise is not cancelled and may still take effect.
 */
export async function withDeadline<T>(
  promise: Promise<T>,
  ms: number,
  makeError: () => Error = () => new DeadlineExceededError('the operation', ms),
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expiry = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(makeError()), ms);
  });
  try {
    return await Promise.race([promise, expiry]);
  } finally {
    clearTimeout(timer);
  }
}
