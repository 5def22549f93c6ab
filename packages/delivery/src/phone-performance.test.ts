import { describe, expect, it } from 'vitest';
import { describePerformance, type PerformanceRow } from './phone-performance.ts';

const [EARLY, LATE] = [new Date('2026-03-01T10:00Z'), new Date('2026-03-01T11:00Z')];

function row(values: Partial<PerformanceRow>): PerformanceRow {
  const nothing = { lastErrorCode: null, lastErrorAt: null, lastDeliveredAt: null, firstMessageAt: null, lastMessageAt: null };
  return { role: 'recipient', measures: {}, updatedAt: EARLY, ...nothing, ...values };
}

describe('reachability', () => {
  it.each([
    ['nothing is known', {}, 'unknown'],
    ['something was delivered', { lastDeliveredAt: EARLY }, 'reachable'],
    ['the phone itself failed after that', { lastDeliveredAt: EARLY, lastErrorCode: 63_024, lastErrorAt: LATE }, 'unreachable'],
    ['the phone itself failed before that', { lastDeliveredAt: LATE, lastErrorCode: 63_024, lastErrorAt: EARLY }, 'reachable'],
    ['something else failed after that', { lastDeliveredAt: EARLY, lastErrorCode: 63_016, lastErrorAt: LATE }, 'reachable'],
    ['only something else failed', { lastErrorCode: 63_016, lastErrorAt: LATE }, 'unknown'],
    ['the phone itself failed and nothing ever arrived', { lastErrorCode: 63_024, lastErrorAt: LATE }, 'unreachable'],
  ] as const)('when %s', (_what, values, reachability) => {
    expect(describePerformance('recipient', [row(values)]).reachability).toBe(reachability);
  });
});

it('puts the two forms of one number together', () => {
  const rows = [
    row({
      measures: { attempted: 2, read: 1, failed: 1, 'error 63024': 1 },
      lastErrorCode: 63_024,
      lastErrorAt: LATE,
      firstMessageAt: LATE,
    }),
    row({ measures: { attempted: 3, delivered: 1, 'error 63016': 2 }, lastErrorCode: 63_016, lastErrorAt: EARLY, firstMessageAt: EARLY }),
  ];
  expect(describePerformance('recipient', rows)).toMatchObject({
    attempts: 5,
    delivered: 2,
    read: 1,
    failuresByClass: { recipient: 1, window: 2 },
    lastError: { code: 63_024, at: LATE.toISOString() },
    firstMessageAt: EARLY.toISOString(),
  });
});
