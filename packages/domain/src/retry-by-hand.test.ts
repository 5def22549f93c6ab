import { describe, expect, it } from 'vitest';
import { decideOnFailure } from './retry-policy.ts';
import { ERROR_TABLE } from './error-table.ts';
import { objectToRetry } from './retry-by-hand.ts';

describe('a retry by hand', () => {
  it.each([
    [63012, null, 'a fault that passes'],
    [63018, null, 'a rate limit'],
    [20003, null, 'credentials, which a person repairs first'],
    [63027, null, 'a template, which a person repairs first'],
    [21211, 'permanent', 'no such recipient'],
    [63016, 'permanent', 'free text outside the window'],
    [99_999, 'permanent', 'a code that nobody knows'],
    [30008, 'may_have_arrived', 'a failure that says nothing'],
    [30410, 'may_have_arrived', 'a time-out at the provider'],
    [null, 'may_have_arrived', 'given up without a code'],
  ])('of %s meets %s: %s', (code, objection, _why) => {
    expect(objectToRetry(code)).toBe(objection);
  });

  it('meets no objection where the system would retry by itself', () => {
    const automatic = [...ERROR_TABLE.keys()].filter((code) => decideOnFailure(code).action === 'retry');
    expect(automatic.filter((code) => objectToRetry(code) !== null)).toEqual([]);
  });
});
