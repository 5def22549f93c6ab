import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeError } from './describe-error.ts';
import { RETRY_DECISIONS, type RetryDecision } from './error-classes.ts';
import { ERROR_TABLE } from './error-table.ts';
import { decideOnFailure, decideOnRefusal, type BreakerScope, type PolicyAction } from './retry-policy.ts';

type Refused = 'fail' | 'hold' | 'retry' | 'wait';
type Failed = 'nothing' | 'hold' | 'retry';

/** `wait` = tried again without end, behind a breaker: the refusal is not the message's fault. */
function refusalOf(code: number, policy?: PolicyAction): Refused {
  const decision = decideOnRefusal(code, policy);
  return decision.action === 'retry' && !decision.countsAsRefusal ? 'wait' : decision.action;
}

describe('what an error code leads to', () => {
  // Labelled by hand from Twilio's documentation of each code, never copied from the table: as the answer of the create call (nothing was
  // created), as a failure that a callback told later, and what it shows to be broken beyond this message.
  it.each<[code: number, means: string, refused: Refused, failed: Failed, opens: BreakerScope | null]>([
    [14107, 'two automatic responders answer each other', 'fail', 'nothing', null],
    [20003, 'credentials refused', 'wait', 'hold', 'account'],
    [20006, 'the key lacks the permission', 'wait', 'hold', 'account'],
    [20404, 'wrong account, sid or region', 'fail', 'nothing', null],
    [20409, 'conflicting state: read again and repeat', 'retry', 'retry', null],
    [20422, 'invalid parameter', 'fail', 'nothing', null],
    [20429, 'too many requests at a time', 'retry', 'retry', null],
    [21211, 'invalid recipient', 'fail', 'nothing', null],
    [21212, 'invalid sender', 'fail', 'nothing', null],
    [21408, 'region not permitted', 'fail', 'nothing', null],
    [21610, 'the recipient has opted out', 'fail', 'nothing', null],
    [21611, "the sender's queue is full", 'retry', 'retry', 'sender'],
    [21612, 'no route from this sender to this recipient', 'fail', 'nothing', null],
    [21614, 'no mobile number', 'fail', 'nothing', null],
    [21617, 'text of more than 1,600 characters', 'fail', 'nothing', null],
    [21656, 'template variables not readable', 'fail', 'nothing', null],
    [21703, 'the Messaging Service has no sender', 'fail', 'nothing', null],
    [30001, 'queue overflow: not delivered', 'retry', 'retry', 'sender'],
    [30002, 'account suspended', 'wait', 'hold', 'account'],
    [30003, 'phone not reachable: perhaps later', 'retry', 'retry', null],
    [30007, 'filtered by the carrier', 'fail', 'nothing', null],
    [30008, 'unknown error: it may have arrived', 'fail', 'nothing', null],
    [30036, 'validity expired: most often stale by now', 'fail', 'nothing', null],
    [30037, 'the account may not send', 'wait', 'hold', 'account'],
    [30410, 'provider time-out: it may have arrived', 'fail', 'nothing', null],
    [30450, 'destination blocked for some hours', 'retry', 'retry', null],
    [63003, 'not on WhatsApp', 'fail', 'nothing', null],
    [63005, 'content not accepted', 'fail', 'nothing', null],
    [63007, 'no such channel sender', 'wait', 'hold', 'sender'],
    [63010, 'internal error at Twilio', 'retry', 'retry', null],
    [63012, "internal error on Meta's side", 'retry', 'retry', null],
    [63013, "against the channel's policy", 'fail', 'nothing', null],
    [63014, 'blocked by the user', 'fail', 'nothing', null],
    [63016, 'free text outside the window', 'fail', 'nothing', null],
    [63018, "the channel's rate limit", 'retry', 'retry', 'sender'],
    [63019, 'media could not be fetched', 'retry', 'retry', null],
    [63024, 'invalid recipient', 'fail', 'nothing', null],
    [63027, 'template missing in this language', 'wait', 'hold', 'template'],
    [63028, 'wrong number of template parameters', 'fail', 'nothing', null],
    [63032, "part of one of Meta's experiments", 'fail', 'nothing', null],
    [63033, 'opted out of marketing', 'fail', 'nothing', null],
    [63038, 'daily limit of the account', 'retry', 'retry', 'account'],
    [63041, 'template paused', 'wait', 'hold', 'template'],
    [63042, 'template disabled for good', 'fail', 'nothing', 'template'],
    [63049, 'marketing held back for this person', 'retry', 'retry', null],
    [63051, 'the WhatsApp account is locked', 'wait', 'hold', 'sender'],
    [63062, 'terms for marketing messages not accepted', 'hold', 'hold', null],
  ])('%i (%s): refused → %s, failed later → %s, opens %s', (code, _means, refused, failed, opens) => {
    expect([refusalOf(code), decideOnFailure(code).action]).toEqual([refused, failed]);
    expect([decideOnRefusal(code).opens, decideOnFailure(code).opens]).toEqual([opens, opens]);
  });

  it.each<[code: number, hoursMin: number, hoursMax: number]>([
    [63012, 0.03, 0.2],
    [63018, 0.5, 2],
    [30003, 2, 6],
    [63049, 24, 36],
    [63038, 24, 28],
  ])('a failure with %i is sent again after %d to %d hours', (code, hoursMin, hoursMax) => {
    const decision = decideOnFailure(code);
    if (decision.action !== 'retry') throw new Error('not retried');
    expect(decision.delayMsMin / 3_600_000).toBeGreaterThanOrEqual(hoursMin);
    expect(decision.delayMsMax / 3_600_000).toBeLessThanOrEqual(hoursMax);
    expect(decision.delayMsMin).toBeLessThan(decision.delayMsMax);
  });
});

/** Decisions with which the same message never goes out again by itself. */
const FINAL: ReadonlySet<RetryDecision> = new Set([
  'never',
  'only-as-template',
  'operator-decides',
  'pause-marketing',
  'stop-template',
  'not-applicable',
]);
const anyCode = fc.oneof(
  fc.constantFrom(...ERROR_TABLE.keys()),
  fc.integer({ min: 20_400, max: 20_599 }),
  fc.integer({ min: 1, max: 999_999 }),
);

describe('every code', () => {
  it('that is permanent or not in the table never leads to another call by itself', () => {
    fc.assert(
      fc.property(anyCode, (code) => {
        const { retry, known } = describeError(code);
        if (known && !FINAL.has(retry)) return;
        expect(decideOnRefusal(code).action).not.toBe('retry');
        expect(decideOnFailure(code).action).not.toBe('retry');
      }),
      { numRuns: 5_000 },
    );
  });

  it('that is tried again waits a while, and only behind a breaker without an end', () => {
    for (const code of ERROR_TABLE.keys()) {
      const decision = decideOnRefusal(code);
      if (decision.action !== 'retry') continue;
      expect(decision.floorMs).toBeGreaterThanOrEqual(1_000);
      expect(decision.capMs).toBeGreaterThanOrEqual(decision.baseMs);
      if (decision.countsAsRefusal) expect(decision.budget).toBeGreaterThan(0);
      else expect(decision.opens).not.toBeNull();
    }
  });

  it.each(RETRY_DECISIONS)('with the decision "%s" obeys an operator who says stop or hold, and still opens what it opens', (retry) => {
    const [code] = [...ERROR_TABLE].find(([, entry]) => entry.retry === retry) ?? [0];
    const { opens } = decideOnRefusal(code);
    expect(decideOnRefusal(code, 'stop')).toEqual({ action: 'fail', opens });
    expect(decideOnRefusal(code, 'hold')).toEqual({ action: 'hold', opens });
    expect(decideOnFailure(code, 'stop')).toEqual({ action: 'nothing', opens });
    expect(decideOnFailure(code, 'hold')).toEqual({ action: 'hold', opens });
  });
});

describe("an operator's retry", () => {
  it.each([21211, 63016, 63999])('gives %i a few tries, though the table gives none', (code) => {
    expect(decideOnRefusal(code, 'retry')).toMatchObject({ action: 'retry', countsAsRefusal: true, budget: 3 });
    expect(decideOnFailure(code, 'retry')).toMatchObject({ action: 'retry' });
  });

  it.each([21611, 63012, 20003])('leaves the pace of %i, which the table retries anyway', (code) => {
    expect(decideOnRefusal(code, 'retry')).toEqual(decideOnRefusal(code));
  });

  it.each([30008, 30410])('sends nothing again that failed with %i: it may have arrived', (code) => {
    expect(decideOnFailure(code, 'retry')).toEqual({ action: 'nothing', opens: null });
  });
});

it('an unknown code that looks like trouble with the account fails its message and protects the others', () => {
  expect(describeError(20401)).toMatchObject({ known: false, retry: 'pause-account' });
  expect(decideOnRefusal(20401)).toEqual({ action: 'fail', opens: 'account' });
  expect(decideOnFailure(20401)).toEqual({ action: 'nothing', opens: 'account' });
});
