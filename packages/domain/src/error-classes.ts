/** What kind of trouble an error code is; also the closed set of the metric label `class`. */
export const ERROR_CLASSES = [
  /** The request itself is wrong: the same request fails again. */
  'permanent',
  /** Something outside failed for a moment. */
  'transient',
  /** A rate, queue or daily limit was hit. */
  'rate',
  /** Credentials, configuration, the account or the sender need a person. */
  'account',
  /** This recipient cannot, may not or does not want to get the message. */
  'recipient',
  /** The template, its variables or the media are wrong. */
  'template',
  /** Free text outside the customer-service window. */
  'window',
  /** Twilio could not use one of our webhook answers: no message of ours failed. */
  'webhook',
  /** A notice, not a failure. */
  'info',
] as const;

export type ErrorClass = (typeof ERROR_CLASSES)[number];

/** What may happen to a message that ended with an error code: the decision as data, carried out elsewhere. */
export const RETRY_DECISIONS = [
  /** The same message is not sent again automatically. */
  'never',
  /** Certainly not processed: again after seconds, with growing delays. */
  'backoff',
  /** Again after minutes up to a day, and the sender goes slower from now on. */
  'backoff-long',
  /** A few tries in all, with growing delays. */
  'bounded',
  /** One more try, soon. */
  'once',
  /** One more try, after hours. */
  'once-later',
  /** Again after hours: the limit or the condition passes by itself. */
  'hours-later',
  /** Again, but not before 24 hours have passed for this recipient. */
  'after-24-hours',
  /** The whole account is at its daily limit: everything waits for the next day. */
  'next-day',
  /** Again only when a look at Twilio's records showed that no message was created. */
  'after-reconcile',
  /** Not as it is: the content may go out as an approved template. */
  'only-as-template',
  /** A person decides: it may have arrived, or be stale by now. */
  'operator-decides',
  /** Every send of the account waits until a person has repaired it. */
  'pause-account',
  /** Every send of this sender waits until a person has repaired it. */
  'pause-sender',
  /** Every send of this template waits until a person has repaired it. */
  'pause-template',
  /** This template never works again: its messages fail. */
  'stop-template',
  /** Marketing messages wait, others go on. */
  'pause-marketing',
  /** No message ended with this code: there is nothing to send again. */
  'not-applicable',
] as const;

export type RetryDecision = (typeof RETRY_DECISIONS)[number];

/** One row of the error table. The sentences are for operators: what it says, why it happens, what to do. */
export interface ErrorEntry {
  class: ErrorClass;
  retry: RetryDecision;
  meaning: string;
  cause: string;
  remedy: string;
}

/** Error codes of one range. */
export type ErrorTable = Readonly<Record<number, ErrorEntry>>;
