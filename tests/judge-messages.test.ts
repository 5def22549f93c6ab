// The judge of the kill tests must be able to say "guilty".
import { expect, it } from 'vitest';
import { judgeMessages, type JudgedRow } from './support/judge-messages.ts';
import type { Ledger } from './support/pipeline.ts';

const create = (m: string, overrides: Partial<Ledger['creates'][number]> = {}): Ledger['creates'][number] => ({
  sid: `SM-${m}`,
  m,
  a: 1,
  to: 'somebody',
  from: 'us',
  at: '2026-01-01T00:00:00.000Z',
  outcome: 'created',
  httpStatus: 201,
  ...overrides,
});
const refused = (m: string, httpStatus = 400) => create(m, { sid: null, outcome: 'refused', httpStatus });
const told = (m: string, status: string, httpStatus: number | null = 204) => ({ sid: `SM-${m}`, status, httpStatus, tries: 1 });
const row = (id: string, status: JudgedRow['status'], overrides: Partial<JudgedRow> = {}): JudgedRow => ({
  id,
  status,
  messageSid: `SM-${id}`,
  errorCode: null,
  ...overrides,
});
const ours = (id: string, status: JudgedRow['status']) => row(id, status, { messageSid: null });

function judge(rows: JudgedRow[], creates: Ledger['creates'], callbacks: Ledger['callbacks'] = [], accepted = rows.map(({ id }) => id)) {
  return judgeMessages(accepted, rows, { creates, callbacks });
}

it('rows that say what the ledger has are counted and nothing is found', () => {
  const unknown = [ours('c', 'unknown'), ours('d', 'unknown'), ours('f', 'unknown')];
  const rows = [row('a', 'read'), ours('b', 'failed'), ...unknown, row('e', 'undelivered')];
  const creates = [create('a'), refused('b'), create('d', { outcome: 'created-answer-lost' }), create('e'), refused('f', 500)];
  const callbacks = [told('a', 'read'), told('a', 'sent'), told('e', 'sent'), told('e', 'undelivered')];
  expect(judge(rows, creates, callbacks)).toEqual({
    rows: 6,
    created: 3,
    refused: 1,
    unknownCreated: 1,
    unknownAbsent: 2,
    unknownUncalled: 1,
    twice: [],
    lost: [],
    disagreeing: [],
  });
});

it('a message of two attempts is created twice when both created it, and once when the first was refused', () => {
  const second = (m: string) => create(m, { a: 2, sid: `SM-${m}` });
  expect(judge([row('a', 'queued')], [create('a'), second('a')]).twice).toEqual(['a']);
  expect(judge([row('a', 'queued')], [refused('a', 429), second('a')])).toMatchObject({ twice: [], disagreeing: [], created: 1 });
});

it.each<[string, JudgedRow[], string[]]>([
  ['was accepted and has no row', [], ['a']],
  ['still waits', [ours('a', 'retrying')], ['a']],
  ['is still claimed', [ours('a', 'sending')], ['a']],
])('a message that %s is lost', (_name, rows, accepted) => {
  expect(judge(rows, [], [], accepted).lost).toHaveLength(1);
});

it.each<[string, JudgedRow, Ledger['creates'], Ledger['callbacks'], RegExp]>([
  ['of another sid', row('a', 'queued', { messageSid: 'SM-other' }), [create('a')], [], /queued with SM-a/],
  ['behind its callbacks', row('a', 'sent'), [create('a')], [told('a', 'sent'), told('a', 'read')], /read with SM-a/],
  ['ahead of all callbacks', row('a', 'read'), [create('a')], [told('a', 'sent')], /sent with SM-a/],
  ['with a sid that was never made', row('a', 'sent'), [], [], /no such message/],
  ['failed without a call', ours('a', 'failed'), [], [], /no refusal/],
  ['failed by a 429', ours('a', 'failed'), [refused('a', 429)], [], /429 only/],
  ['failed although created', ours('a', 'failed'), [create('a')], [], /queued with SM-a/],
  ['unknown although its sid is known', row('a', 'unknown'), [create('a')], [told('a', 'read')], /read with SM-a/],
])('a row %s disagrees', (_name, judged, creates, callbacks, text) => {
  expect(judge([judged], creates, callbacks).disagreeing).toEqual([expect.stringMatching(text)]);
});

it('a callback that was taken although its answer came too late may be told by the row, or not', () => {
  const callbacks = [told('a', 'sent'), told('a', 'read', null)];
  for (const status of ['sent', 'read'] as const) expect(judge([row('a', status)], [create('a')], callbacks).disagreeing).toEqual([]);
});

it('a call for a message without a row disagrees', () => {
  expect(judge([], [create('a')]).disagreeing).toEqual([expect.stringMatching(/no row/)]);
});
