import { describe, expect, it } from 'vitest';
import { ERROR_CLASSES, RETRY_DECISIONS, type ErrorClass, type RetryDecision } from './error-classes.ts';
import { ERROR_RANGES, ERROR_TABLE } from './error-table.ts';

/** Every code that the table must hold; a range names both ends. */
const required = `
  11100 11200 11201 11202 11203 11205 11206 11210 11215-11217 11220 11235-11237 11240-11243 11321 11322 11750 11751 11770
  12100 12200 12300 14107
  20001 20003 20005 20006 20008 20009 20010 20101-20107 20151-20160 20162 20249 20403 20404 20409 20422 20429 20500 20503
  21211 21212 21265 21266 21408 21601-21612 21614 21616-21624 21626 21635 21652-21661 21701-21705 21708 21709 21910
  30001-30024 30027 30029 30030 30032-30040 30109 30400 30404 30409 30410 30450 30453 30454 30485 30500 30610 30615 30620 30630
  35111 35114 35115 35117 35118 35125-35127
  63001-63003 63005-63047 63049 63051 63052 63059 63062 63100-63103 63105 63109 63111 63112
  90010 92001-92009 216602`
  .trim()
  .split(/\s+/)
  .flatMap((item) => {
    const [first = Number.NaN, last = first] = item.split('-').map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });

describe('the error table', () => {
  it('holds every code that WhatsApp messages, callbacks and webhooks can show', () => {
    expect(required.filter((code) => !ERROR_TABLE.has(code))).toEqual([]);
    expect(new Set(required).size).toBeGreaterThanOrEqual(200);
  });

  it('holds no code twice: the ranges do not overlap', () => {
    const codes = ERROR_RANGES.flatMap((range) => Object.keys(range));
    expect(codes.filter((code, index) => codes.indexOf(code) !== index)).toEqual([]);
    expect(ERROR_TABLE.size).toBe(codes.length);
  });

  it('does not pretend to know codes whose meaning nobody confirmed', () => {
    const unconfirmed = [63048, 63050, 63053, 63054, 63055, 63056, 63057, 63058, 63060, 63061];
    expect(unconfirmed.filter((code) => ERROR_TABLE.has(code))).toEqual([]);
  });

  it.each([...ERROR_TABLE])('%i has a class, a decision and three short sentences', (code, entry) => {
    expect(code).toSatisfy(Number.isInteger);
    expect(ERROR_CLASSES).toContain(entry.class);
    expect(RETRY_DECISIONS).toContain(entry.retry);
    expect(Object.keys(entry)).toHaveLength(5);
    for (const sentence of [entry.meaning, entry.cause, entry.remedy]) {
      expect(sentence).toMatch(/^[A-Z].{8,}\.$/);
      expect(sentence.length).toBeLessThanOrEqual(140);
      expect(sentence).not.toMatch(/\s{2}|\s\.|\.\.|[\t\n]/);
    }
    expect(new Set([entry.meaning, entry.cause, entry.remedy]).size).toBe(3);
  });

  // A wrong request never becomes right by itself; reports about webhooks and notices concern no message.
  it.each<[ErrorClass, RetryDecision[]]>([
    ['permanent', ['never']],
    ['transient', ['never', 'bounded', 'once', 'hours-later', 'after-reconcile', 'operator-decides']],
    ['rate', ['never', 'backoff', 'backoff-long', 'hours-later', 'next-day', 'operator-decides']],
    ['account', ['never', 'once', 'operator-decides', 'pause-account', 'pause-sender', 'pause-marketing']],
    ['recipient', ['never', 'once-later', 'hours-later', 'after-24-hours']],
    ['template', ['never', 'once', 'pause-template', 'stop-template', 'not-applicable']],
    ['window', ['only-as-template']],
    ['webhook', ['not-applicable']],
    ['info', ['not-applicable']],
  ])('decides in the class %s only what fits it', (errorClass, decisions) => {
    const ofClass = [...ERROR_TABLE.values()].filter((entry) => entry.class === errorClass);
    expect(new Set(ofClass.map((entry) => entry.retry))).toEqual(new Set(decisions));
  });

  it('uses every class and every decision: none is dead', () => {
    const entries = [...ERROR_TABLE.values()];
    expect(new Set(entries.map((entry) => entry.class))).toEqual(new Set(ERROR_CLASSES));
    expect(new Set(entries.map((entry) => entry.retry))).toEqual(new Set(RETRY_DECISIONS));
  });
});
