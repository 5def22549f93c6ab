import { describe, expect, it } from 'vitest';
import { describeError } from './describe-error.ts';
import { ERROR_CLASSES, RETRY_DECISIONS, type ErrorClass, type RetryDecision } from './error-classes.ts';

describe('the description of an error code', () => {
  // Labelled by hand, not copied from the table: a changed class or decision must be changed here on purpose.
  it.each<[number, ErrorClass, RetryDecision]>([
    [20003, 'account', 'pause-account'],
    [20005, 'account', 'pause-account'],
    [20006, 'account', 'pause-account'],
    [20008, 'account', 'never'],
    [20009, 'transient', 'hours-later'],
    [20104, 'account', 'once'],
    [20158, 'account', 'once'],
    [20249, 'rate', 'operator-decides'],
    [20403, 'account', 'pause-account'],
    [20404, 'account', 'never'],
    [20409, 'transient', 'bounded'],
    [20422, 'permanent', 'never'],
    [20429, 'rate', 'backoff'],
    [20500, 'transient', 'after-reconcile'],
    [20503, 'transient', 'after-reconcile'],
    [21211, 'recipient', 'never'],
    [21212, 'account', 'never'],
    [21408, 'account', 'never'],
    [21604, 'permanent', 'never'],
    [21609, 'account', 'never'],
    [21610, 'recipient', 'never'],
    [21611, 'rate', 'backoff-long'],
    [21612, 'permanent', 'never'],
    [21614, 'recipient', 'never'],
    [21617, 'permanent', 'never'],
    [21656, 'template', 'never'],
    [21703, 'account', 'never'],
    [30001, 'rate', 'backoff-long'],
    [30002, 'account', 'pause-account'],
    [30003, 'recipient', 'once-later'],
    [30007, 'permanent', 'never'],
    [30008, 'transient', 'operator-decides'],
    [30017, 'transient', 'hours-later'],
    [30020, 'transient', 'bounded'],
    [30036, 'rate', 'operator-decides'],
    [30037, 'account', 'pause-account'],
    [30409, 'permanent', 'never'],
    [30410, 'transient', 'operator-decides'],
    [30450, 'recipient', 'hours-later'],
    [30454, 'rate', 'next-day'],
    [30500, 'transient', 'after-reconcile'],
    [35125, 'rate', 'hours-later'],
    [14107, 'rate', 'never'],
    [63001, 'account', 'pause-sender'],
    [63003, 'recipient', 'never'],
    [63005, 'template', 'never'],
    [63007, 'account', 'pause-sender'],
    [63009, 'transient', 'bounded'],
    [63010, 'transient', 'bounded'],
    [63011, 'transient', 'once'],
    [63012, 'transient', 'bounded'],
    [63013, 'template', 'never'],
    [63014, 'recipient', 'never'],
    [63015, 'account', 'never'],
    [63016, 'window', 'only-as-template'],
    [63017, 'rate', 'backoff'],
    [63018, 'rate', 'backoff-long'],
    [63019, 'template', 'once'],
    [63020, 'account', 'pause-sender'],
    [63024, 'recipient', 'never'],
    [63026, 'account', 'pause-sender'],
    [63027, 'template', 'pause-template'],
    [63028, 'template', 'never'],
    [63029, 'recipient', 'once-later'],
    [63032, 'recipient', 'never'],
    [63033, 'recipient', 'never'],
    [63037, 'transient', 'never'],
    [63038, 'rate', 'next-day'],
    [63040, 'template', 'pause-template'],
    [63041, 'template', 'pause-template'],
    [63042, 'template', 'stop-template'],
    [63046, 'info', 'not-applicable'],
    [63049, 'recipient', 'after-24-hours'],
    [63051, 'account', 'pause-sender'],
    [63059, 'account', 'pause-sender'],
    [63062, 'account', 'pause-marketing'],
    [63102, 'account', 'operator-decides'],
    [63112, 'account', 'pause-sender'],
    [11200, 'webhook', 'not-applicable'],
    [11237, 'webhook', 'not-applicable'],
    [90010, 'account', 'pause-account'],
    [216602, 'template', 'never'],
  ])('%i is %s and decides "%s"', (code, errorClass, retry) => {
    expect(describeError(code)).toMatchObject({ code, class: errorClass, retry, known: true });
  });

  it.each([63048, 63050, 63053, 63060, 21999, 30999, 63999, 1, 0, -1, 99_999_999, 20_400.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'of the unknown code %d is honest and cautious: permanent, never sent again',
    (code) => {
      expect(describeError(code)).toEqual({
        code,
        class: 'permanent',
        retry: 'never',
        known: false,
        meaning: expect.stringMatching(/not in our table/),
        cause: expect.stringMatching(/\.$/),
        remedy: expect.stringMatching(/\.$/),
      });
    },
  );

  it.each<[number, ErrorClass, RetryDecision]>([
    [20401, 'account', 'pause-account'],
    [20408, 'permanent', 'never'],
    [20502, 'transient', 'after-reconcile'],
    [20599, 'transient', 'after-reconcile'],
    [20600, 'permanent', 'never'],
    [20399, 'permanent', 'never'],
  ])('of the unknown code %i follows the HTTP status that it ends in: %s, "%s"', (code, errorClass, retry) => {
    expect(describeError(code)).toMatchObject({ class: errorClass, retry, known: false });
  });

  it('has exactly the properties that the API shows', () => {
    for (const code of [20429, 1]) {
      expect(Object.keys(describeError(code)).toSorted()).toEqual(['cause', 'class', 'code', 'known', 'meaning', 'remedy', 'retry']);
    }
  });

  it('comes new each time: nobody can change the table through it', () => {
    Object.assign(describeError(20429), { retry: 'never' });
    expect(describeError(20429).retry).toBe('backoff');
  });
});

describe('error classes and retry decisions', () => {
  it('are closed sets of lower-case words, fit for metric labels', () => {
    for (const word of [...ERROR_CLASSES, ...RETRY_DECISIONS]) expect(word).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(new Set(ERROR_CLASSES).size).toBe(ERROR_CLASSES.length);
    expect(new Set(RETRY_DECISIONS).size).toBe(RETRY_DECISIONS.length);
  });
});
