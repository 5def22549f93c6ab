import type { ErrorClass, ErrorEntry, RetryDecision } from './error-classes.ts';
import { ERROR_TABLE } from './error-table.ts';

/** An error code of Twilio in words for operators, and what may happen to the message. */
export interface ErrorDescription {
  code: number;
  class: ErrorClass;
  meaning: string;
  cause: string;
  remedy: string;
  retry: RetryDecision;
  /** False for a code that the table does not hold: class and retry are then the cautious default, and it deserves an alert. */
  known: boolean;
}

/**
 * Says what an error code of Twilio means and what to do about it. Never throws; the same code always gets the same answer.
 *
 * A code that the table does not hold is answered with `known: false`. Its class follows the only rule there is: codes 20400 to 20599
 * end in the HTTP status that they stand for; everything else counts as permanent and is not retried, because taking an unknown
 * failure for a harmless one could send a message twice.
 */
export function describeError(code: number): ErrorDescription {
  const entry = ERROR_TABLE.get(code);
  return { code, ...(entry ?? describeUnknown(code)), known: entry !== undefined };
}

function describeUnknown(code: number): ErrorEntry {
  return {
    ...classifyByHttpStatus(code - 20_000),
    meaning: 'This code is not in our table.',
    cause: 'Twilio may have added it after this version was made.',
    remedy: "Read Twilio's page of this code and the channel's own words in the timeline, then decide by hand.",
  };
}

function classifyByHttpStatus(httpStatus: number): Pick<ErrorEntry, 'class' | 'retry'> {
  if (httpStatus === 401 || httpStatus === 403) return { class: 'account', retry: 'pause-account' };
  if (httpStatus >= 500 && httpStatus <= 599) return { class: 'transient', retry: 'after-reconcile' };
  return { class: 'permanent', retry: 'never' };
}
