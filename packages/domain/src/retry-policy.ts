import { describeError } from './describe-error.ts';
import type { RetryDecision } from './error-classes.ts';

/** An operator's word on an error code, above the table's: what `error_policies` may hold. */
export type PolicyAction = 'retry' | 'stop' | 'hold';

/** What an error code shows to be broken for every message of the same account, sender or template, not only for this one. */
export type BreakerScope = 'account' | 'sender' | 'template';

/**
 * The wait before the next try: `floorMs + random() * least(capMs, baseMs * 2^refusals)`, refusals being those of the row so far. A
 * refusal that counts uses up one of `budget` tries; one that does not is the fault of something that a breaker watches.
 */
export interface Backoff {
  floorMs: number;
  baseMs: number;
  capMs: number;
  budget: number;
  countsAsRefusal: boolean;
}

interface Opens {
  opens: BreakerScope | null;
}

type Refusal = { action: 'fail' } | { action: 'hold' } | ({ action: 'retry' } & Backoff);
type Failure = { action: 'nothing' } | { action: 'hold' } | { action: 'retry'; delayMsMin: number; delayMsMax: number };

/** What becomes of a message that Twilio refused, so that it was certainly not created: it fails, waits for a person, or is tried again. */
export type RefusalDecision = Opens & Refusal;

/** What follows when a created message failed: nothing, a new row that waits for a person, or one that is due after a random delay. */
export type FailureDecision = Opens & Failure;

/**
 * What an answer of Twilio's create with this code leads to. Decided by the code alone, never by a text. Pure.
 *
 * A code that the table does not hold is not tried again, even where its neighbours would be; it may still open a breaker, which costs
 * a pause and no message.
 */
export function decideOnRefusal(code: number, policy?: PolicyAction): RefusalDecision {
  const { retry, known } = describeError(code);
  const { refusal, opens } = RULES[retry];
  if (policy === 'stop') return { ...FAIL, opens };
  if (policy === 'hold') return { ...HOLD, opens };
  const decided = known ? refusal : FAIL;
  return { ...(policy === 'retry' && decided.action !== 'retry' ? INSISTED_REFUSAL : decided), opens };
}

/**
 * What a final failure with this code leads to, after the message was created. Decided by the code alone, never by a text. Pure.
 *
 * The codes of {@link MAY_HAVE_ARRIVED} never lead to an automatic retry, whatever the policy: the recipient could get it twice.
 */
export function decideOnFailure(code: number, policy?: PolicyAction): FailureDecision {
  const { retry, known } = describeError(code);
  const { failure, opens } = RULES[retry];
  if (policy === 'hold') return { ...HOLD, opens };
  if (policy === 'stop' || MAY_HAVE_ARRIVED.has(code)) return { ...NOTHING, opens };
  const decided = known ? failure : NOTHING;
  return { ...(policy === 'retry' && decided.action !== 'retry' ? INSISTED_FAILURE : decided), opens };
}

/** 30008 says nothing about the cause, and 30410 is a time-out after which Twilio itself did not try again so as not to deliver twice. */
export const MAY_HAVE_ARRIVED: ReadonlySet<number> = new Set([30008, 30410]);

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

const FAIL: Refusal = { action: 'fail' };
const NOTHING: Failure = { action: 'nothing' };
const HOLD: Refusal & Failure = { action: 'hold' };

/** Waits behind a breaker: the time only spreads the rows out, once it has closed. */
const UNTIL_REPAIRED = backoff({
  floorMs: 5 * SECOND_MS,
  baseMs: 25 * SECOND_MS,
  capMs: 25 * SECOND_MS,
  budget: 0,
  countsAsRefusal: false,
});

const A_FEW_TIMES = backoff({ floorMs: SECOND_MS, baseMs: 4 * SECOND_MS, capMs: MINUTE_MS, budget: 4 });

/** What an operator's `retry` means for codes that the table does not repeat: a few tries, a last one after some minutes. */
const INSISTED_REFUSAL = backoff({ floorMs: 5 * SECOND_MS, baseMs: 30 * SECOND_MS, capMs: 5 * MINUTE_MS, budget: 3 });
const INSISTED_FAILURE = newRow(5 * MINUTE_MS, 15 * MINUTE_MS);

/**
 * The decisions of the error table, carried out. A failure's new row is not retried again, so its delay is longer than a refusal's.
 *
 * What waits for a repair: a refused message stays claimable behind its breaker, which lets one through now and then to see. One that had
 * been created and failed makes a held row, because the same test would cost it its only retry; an operator releases all of a code at once.
 */
const RULES: Record<RetryDecision, Opens & { refusal: Refusal; failure: Failure }> = {
  never: { refusal: FAIL, failure: NOTHING, opens: null },
  backoff: {
    refusal: backoff({ floorMs: SECOND_MS, baseMs: 2 * SECOND_MS, capMs: 30 * SECOND_MS, budget: 8 }),
    failure: newRow(MINUTE_MS, 5 * MINUTE_MS),
    opens: null,
  },
  'backoff-long': {
    refusal: backoff({ floorMs: MINUTE_MS, baseMs: 5 * MINUTE_MS, capMs: 4 * HOUR_MS, budget: 8 }),
    failure: newRow(HOUR_MS / 2, 2 * HOUR_MS),
    opens: 'sender',
  },
  bounded: { refusal: A_FEW_TIMES, failure: newRow(2 * MINUTE_MS, 10 * MINUTE_MS), opens: null },
  once: {
    refusal: backoff({ floorMs: SECOND_MS, baseMs: 4 * SECOND_MS, capMs: 4 * SECOND_MS, budget: 1 }),
    failure: newRow(MINUTE_MS, 5 * MINUTE_MS),
    opens: null,
  },
  'once-later': {
    refusal: backoff({ floorMs: 2 * HOUR_MS, baseMs: 4 * HOUR_MS, capMs: 4 * HOUR_MS, budget: 1 }),
    failure: newRow(2 * HOUR_MS, 6 * HOUR_MS),
    opens: null,
  },
  'hours-later': {
    refusal: backoff({ floorMs: HOUR_MS, baseMs: 2 * HOUR_MS, capMs: 8 * HOUR_MS, budget: 3 }),
    failure: newRow(2 * HOUR_MS, 6 * HOUR_MS),
    opens: null,
  },
  'after-24-hours': {
    refusal: backoff({ floorMs: 24 * HOUR_MS, baseMs: 12 * HOUR_MS, capMs: 12 * HOUR_MS, budget: 1 }),
    failure: newRow(24 * HOUR_MS, 36 * HOUR_MS),
    opens: null,
  },
  'next-day': {
    refusal: backoff({ floorMs: HOUR_MS, baseMs: 4 * HOUR_MS, capMs: 24 * HOUR_MS, budget: 4 }),
    failure: newRow(24 * HOUR_MS, 28 * HOUR_MS),
    opens: 'account',
  },
  // A refusal and a final failure are both Twilio's own word that nothing is under way: the look at its records is done.
  'after-reconcile': { refusal: A_FEW_TIMES, failure: newRow(2 * MINUTE_MS, 10 * MINUTE_MS), opens: null },
  'only-as-template': { refusal: FAIL, failure: NOTHING, opens: null },
  'operator-decides': { refusal: FAIL, failure: NOTHING, opens: null },
  'pause-account': { refusal: UNTIL_REPAIRED, failure: HOLD, opens: 'account' },
  'pause-sender': { refusal: UNTIL_REPAIRED, failure: HOLD, opens: 'sender' },
  'pause-template': { refusal: UNTIL_REPAIRED, failure: HOLD, opens: 'template' },
  'stop-template': { refusal: FAIL, failure: NOTHING, opens: 'template' },
  // No breaker knows a category, so the messages themselves wait.
  'pause-marketing': { refusal: HOLD, failure: HOLD, opens: null },
  'not-applicable': { refusal: FAIL, failure: NOTHING, opens: null },
};

function backoff(times: Omit<Backoff, 'countsAsRefusal'> & { countsAsRefusal?: boolean }): { action: 'retry' } & Backoff {
  return { action: 'retry', countsAsRefusal: true, ...times };
}

function newRow(delayMsMin: number, delayMsMax: number): Failure {
  return { action: 'retry', delayMsMin, delayMsMax };
}
