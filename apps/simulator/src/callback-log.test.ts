import { describe, expect, test } from 'vitest';
import { createCallbackLog } from './callback-log.ts';

describe('createCallbackLog', () => {
  test('gives back rows as they were added, oldest first', () => {
    const log = createCallbackLog(10);
    const rows = [
      { sid: 'SM1', status: 'sent', at: 1_764_000_000_123, httpStatus: 204, tries: 1 },
      { sid: 'SM1', status: 'transmitted', at: 1_764_000_000_124, httpStatus: null, tries: 6 },
      { sid: 'SM2', status: 'sent', at: 1_764_000_000_125, httpStatus: null, tries: 0 },
    ];
    for (const row of rows) log.add(row);
    expect([...log.rows(-Infinity, null)]).toEqual(rows);
    expect([...log.rows(1_764_000_000_125, null)]).toEqual([rows[2]]);
    expect([...log.rows(-Infinity, new Set(['SM2']))]).toEqual([rows[2]]);
  });

  test('drops the oldest rows in whole chunks and counts them', () => {
    const log = createCallbackLog(10_000);
    for (let index = 0; index < 140_000; index++) log.add({ sid: `SM${index}`, status: 'sent', at: index, httpStatus: 204, tries: 1 });
    const kept = [...log.rows(-Infinity, null)];
    expect(kept.at(-1)?.sid).toBe('SM139999');
    expect(kept.length).toBeGreaterThanOrEqual(10_000);
    expect(kept.length).toBeLessThan(10_000 + 65_536);
    expect(log.dropped()).toBe(140_000 - kept.length);
    log.clear();
    expect([...log.rows(-Infinity, null)]).toEqual([]);
    expect(log.dropped()).toBe(0);
  });
});
