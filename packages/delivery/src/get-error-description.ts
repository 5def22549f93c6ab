import { AppError, describeError, type ErrorDescription } from '@tickmark/domain';

/**
 * What an error code of Twilio means, why it usually comes, what to do about it, its class and what may happen to the message. It asks
 * nothing: `deps` is there because every function of this package takes it. Safe to repeat; the same code always gets the same answer.
 *
 * A code that nobody knows here is answered with `known: false` and the cautious defaults.
 *
 * @param input.code a whole number; anything else is refused with VALIDATION_FAILED
 */
export async function getErrorDescription(_deps: object, { code }: { code: number }): Promise<ErrorDescription> {
  if (!Number.isSafeInteger(code)) throw new AppError('VALIDATION_FAILED', 'An error code of Twilio is a whole number, such as 63016.');
  return describeError(code);
}
