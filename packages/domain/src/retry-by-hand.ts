import { describeError } from './describe-error.ts';
import { MAY_HAVE_ARRIVED } from './retry-policy.ts';
import type { RetryDecision } from './error-classes.ts';

/**
 * Why a person has to insist (`force`) before a failed message is sent again: `permanent` = the same message fails again, as far as the code
 * tells; `may_have_arrived` = the recipient could get it twice.
 */
export type RetryObjection = 'permanent' | 'may_have_arrived';

/** Decisions of the table by which the same message, sent again, fails again. */
const IN_VAIN: ReadonlySet<RetryDecision> = new Set(['never', 'only-as-template', 'stop-template', 'not-applicable']);

/**
 * What speaks against sending a message again by hand that ended with this code. Pure; never throws. A code that the table does not hold
 * counts as permanent. What waits for a repair (account, sender, template) is not objected to: whoever retries by hand has made it.
 *
 * @param code null = it failed without one: nobody knows what became of it
 */
export function objectToRetry(code: number | null): RetryObjection | null {
  if (code === null || MAY_HAVE_ARRIVED.has(code)) return 'may_have_arrived';
  const { class: errorClass, retry, known } = describeError(code);
  return !known || errorClass === 'permanent' || IN_VAIN.has(retry) ? 'permanent' : null;
}
