import type { ErrorClass, ErrorEntry, RetryDecision } from './error-classes.ts';
import { ERROR_TABLE } from './error-table.ts';

/** An error code of Twilio in words for operators, and what to do with the message. */
export interface ErrorDescription {
  code: number;
  class: ErrorClass;
  meaning: string;
  cause: string;
  remedy: string;
  retry: RetryDecision;
  /** False for a code that the table does not hold: class and retry are then the cautious default. */
  known: boolean;
}

/**
 * Says what an error code of Twilio means and what to do about it. Never throws; answers the same for the same code.
 *
 * A code that the table does not hold is answered with `known: false`, as permanent and never retried: guessing that an unknown
 * failure is harmless would send messages twice.
 */
export function describeError(code: number): ErrorDescription {
  const entry = ERROR_TABLE.get(code);
  return { code, ...(entry ?? UNKNOWN), known: entry !== undefined };
}

const UNKNOWN: ErrorEntry = {
  class: 'permanent',
  retry: 'never',
  meaning: 'This code is not in our table.',
  cause: 'Twilio may have added it after this version was made.',
  remedy: "Read the page of this code in Twilio's error list and the channel's own words in the timeline, then decide by hand.",
};
