import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { createLedger, type CreateRow, type LedgerFilter } from './ledger.ts';
import type { LedgerJson } from './fixtures/simulator-harness.ts';

// What is garbage already must not count, and when it is collected is chance: so it is collected before each look.
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;
function heapBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

const row = (fields: Partial<CreateRow> = {}): CreateRow => ({
  sid: 'SM1',
  m: 'm1',
  a: 1,
  to: 'whatsapp:US.one',
  from: 'whatsapp:US.us',
  at: Date.parse('2026-11-23T10:00:00.000Z'),
  outcome: 'created',
  httpStatus: 201,
  rawForm: 'To=whatsapp%3AUS.one&MediaUrl=a&MediaUrl=b',
  ...fields,
});
const read = (ledger: ReturnType<typeof createLedger>, filter: LedgerFilter = {}) =>
  JSON.parse([...ledger.read(filter)].join('')) as LedgerJson;

describe('createLedger', () => {
  test('an empty ledger is still JSON of the agreed shape', () => {
    expect(read(createLedger())).toEqual({ creates: [], callbacks: [] });
  });

  test('a create and a callback are told with every member', () => {
    const ledger = createLedger();
    ledger.recordCreate(row());
    ledger.recordCallback({ sid: 'SM1', status: 'sent', at: Date.parse('2026-11-23T10:00:01.500Z'), httpStatus: 204, tries: 2 });
    expect(read(ledger)).toEqual({
      creates: [
        {
          sid: 'SM1',
          m: 'm1',
          a: 1,
          to: 'whatsapp:US.one',
          from: 'whatsapp:US.us',
          at: '2026-11-23T10:00:00.000Z',
          outcome: 'created',
          httpStatus: 201,
          form: { To: 'whatsapp:US.one', MediaUrl: ['a', 'b'] },
        },
      ],
      callbacks: [{ sid: 'SM1', status: 'sent', at: '2026-11-23T10:00:01.500Z', httpStatus: 204, tries: 2 }],
    });
  });

  test('filters choose creates by message, recipient and time, and the callbacks that belong to them', () => {
    const ledger = createLedger();
    const at = (second: number) => Date.parse(`2026-11-23T10:00:0${second}.000Z`);
    ledger.recordCreate(row({ sid: 'SM1', m: 'm1', at: at(1) }));
    ledger.recordCreate(row({ sid: 'SM2', m: 'm2', to: 'whatsapp:US.two', at: at(2) }));
    ledger.recordCreate(row({ sid: null, m: 'm2', a: 2, to: 'whatsapp:US.two', at: at(3), outcome: 'refused' }));
    for (const sid of ['SM1', 'SM2']) ledger.recordCallback({ sid, status: 'sent', at: at(4), httpStatus: 204, tries: 1 });
    const chosen = (filter: LedgerFilter) => {
      const { creates, callbacks } = read(ledger, filter);
      return [creates.map(({ m, a }) => `${m}/${a}`), callbacks.map(({ sid }) => sid)];
    };
    expect(chosen({ m: 'm2' })).toEqual([['m2/1', 'm2/2'], ['SM2']]);
    expect(chosen({ to: 'whatsapp:US.one' })).toEqual([['m1/1'], ['SM1']]);
    expect(chosen({ since: at(2) })).toEqual([
      ['m2/1', 'm2/2'],
      ['SM1', 'SM2'],
    ]);
    expect(chosen({ since: at(3), m: 'm2' })).toEqual([['m2/2'], ['SM2']]);
    expect(chosen({ since: at(5) })).toEqual([[], []]);
    expect(chosen({ m: 'm3' })).toEqual([[], []]);
  });

  test('after clear it is empty', () => {
    const ledger = createLedger();
    ledger.recordCreate(row());
    ledger.recordCallback({ sid: 'SM1', status: 'sent', at: 0, httpStatus: 204, tries: 1 });
    ledger.clear();
    expect(read(ledger)).toEqual({ creates: [], callbacks: [] });
  });

  test('beyond its bounds the oldest rows go, and before them the oldest forms', () => {
    const ledger = createLedger({ createsMax: 10, callbacksMax: 10, formCharactersMax: 40 });
    for (let index = 0; index < 100; index++) ledger.recordCreate(row({ sid: `SM${index}`, rawForm: 'To=abcdefg' }));
    const { creates } = read(ledger);
    expect(creates.map(({ sid }) => sid)).toEqual(Array.from({ length: 10 }, (_, index) => `SM${90 + index}`));
    expect(creates.filter(({ form }) => form !== null).map(({ sid }) => sid)).toEqual(['SM96', 'SM97', 'SM98', 'SM99']);
    expect(ledger.dropped()).toBe(90);
  });

  test('a create with its form and four callbacks takes less than a kilobyte', () => {
    const count = 10_000;
    const before = heapBytes();
    const ledger = createLedger();
    for (let index = 0; index < count; index++) {
      const sid = `SM${index.toString(16).padStart(32, '0')}`;
      ledger.recordCreate(
        row({ sid, m: `m${index}`, to: `whatsapp:US.${index}`, rawForm: `To=x&StatusCallback=${'y'.repeat(300)}${index}` }),
      );
      for (const status of ['queued', 'sent', 'delivered', 'read'])
        ledger.recordCallback({ sid, status, at: index, httpStatus: 204, tries: 1 });
    }
    expect((heapBytes() - before) / count).toBeLessThan(1000);
    expect(read(ledger).callbacks).toHaveLength(4 * count);
  });
});
