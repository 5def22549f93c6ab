import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { isAsExpected, judgeRun, type StoredRow } from '../scripts/start/judge-run.ts';

const row = (...expected: string[]) => ({ request: {}, key: 'row-1', expect: expected });
const stored = (status: string, errorCode: number | null, retry: StoredRow['retry'] = null): StoredRow => {
  return { id: randomUUID(), status, errorCode, messageSid: `SM${'1'.repeat(32)}`, retry };
};

describe('a row of a campaign is as expected', () => {
  it.each([
    ['by its own status', ['read'], stored('read', null), true],
    ['by its own status and code', ['undelivered:30003'], stored('undelivered', 30003), true],
    ['by one of several', ['sent', 'read'], stored('read', null), true],
    ['by itself while its retry still waits', ['failed:63018'], stored('failed', 63018, { status: 'scheduled', errorCode: null }), true],
    ['by the row that sends it again', ['read'], stored('failed', 63018, { status: 'read', errorCode: null }), true],
    ['not by another code', ['failed:63018'], stored('failed', 63012), false],
    ['not before its time', ['read'], stored('sent', null), false],
  ])('%s', (_name, expected, found, verdict) => {
    expect(isAsExpected(row(...expected), found)).toBe(verdict);
  });

  it('not when it is not stored', () => expect(isAsExpected(row('read'), undefined)).toBe(false));
});

it('a retry of the system counts neither as missing nor as duplicated', () => {
  const found = stored('failed', 63018, { status: 'read', errorCode: null });
  const creates = [
    { sid: found.messageSid, m: found.id, a: 1, outcome: 'created' as const },
    { sid: `SM${'2'.repeat(32)}`, m: randomUUID(), a: 1, outcome: 'created' as const },
  ];
  const verdict = judgeRun([row('read')], [found.id], new Map([[found.id, found]]), creates);
  expect(verdict).toEqual({ total: 1, asExpected: 1, missing: 0, duplicated: 0, surprises: [] });
});
