import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MESSAGE_STATUSES, rankOf, type MessageStatus } from './statuses.ts';
import { applyStatusEvent, compareProgress, type StatusProjection } from './transition.ts';

type Event = Parameters<typeof applyStatusEvent>[1];

const TWILIO_WORDS = [
  'accepted',
  'scheduled',
  'queued',
  'sending',
  'sent',
  'delivered',
  'read',
  'failed',
  'undelivered',
  'canceled',
  'received',
  'x',
];

const errorCode = fc.oneof(fc.constant(null), fc.constantFrom(0, 30_008, 63_016, 63_024), fc.integer());
const time = fc.integer({ min: 0, max: 2_000_000_000_000 });
const stageTime = fc.option(time);
const event: fc.Arbitrary<Event> = fc.record({ rawStatus: fc.constantFrom(...TWILIO_WORDS), errorCode, receivedAt: time });
const row: fc.Arbitrary<StatusProjection> = fc.record({
  status: fc.constantFrom(...(Object.keys(MESSAGE_STATUSES) as MessageStatus[])),
  errorCode,
  contradicted: fc.boolean(),
  queuedAt: stageTime,
  sentAt: stageTime,
  deliveredAt: stageTime,
  readAt: stageTime,
  failedAt: stageTime,
});

/** Any multiset of events in two orders, the second one with repetitions. */
const twoOrders = fc
  .array(event, { maxLength: 8 })
  .chain((events) =>
    fc.tuple(
      fc.constant(events),
      fc.shuffledSubarray(events, { minLength: events.length }),
      fc.array(events.length === 0 ? event : fc.constantFrom(...events), { maxLength: events.length === 0 ? 0 : 8 }),
    ),
  );

const applyAll = (start: StatusProjection, events: readonly Event[]) => events.reduce(applyStatusEvent, start);

function fresh(status: MessageStatus, rest: Partial<StatusProjection> = {}): StatusProjection {
  const noTimes = { queuedAt: null, sentAt: null, deliveredAt: null, readAt: null, failedAt: null };
  return { status, errorCode: null, contradicted: false, ...noTimes, ...rest };
}

const told = (rawStatus: string, receivedAt: number, code: number | null = null): Event => ({ rawStatus, errorCode: code, receivedAt });

describe('status events', () => {
  it('lead to the same row in any order and with any repetition', () => {
    fc.assert(
      fc.property(row, twoOrders, (start, [events, shuffled, repetitions]) => {
        expect(applyAll(start, [...shuffled, ...repetitions])).toEqual(applyAll(start, events));
        expect(applyAll(start, [...repetitions, ...shuffled])).toEqual(applyAll(start, events));
      }),
      { numRuns: 1000 },
    );
  });

  it('never lower the rank, whatever the row', () => {
    fc.assert(
      fc.property(row, event, (start, next) => {
        expect(rankOf(applyStatusEvent(start, next).status)).toBeGreaterThanOrEqual(rankOf(start.status));
      }),
    );
  });

  it('never make a row claimable that was not', () => {
    fc.assert(
      fc.property(row, event, (start, next) => {
        const { status } = applyStatusEvent(start, next);
        expect(status === start.status || !MESSAGE_STATUSES[status].claimable).toBe(true);
      }),
    );
  });

  it('leave the given row as it was', () => {
    const start = Object.freeze(fresh('sent', { sentAt: 5 }));
    expect(applyStatusEvent(start, told('read', 9))).not.toBe(start);
    expect(start).toEqual(fresh('sent', { sentAt: 5 }));
  });

  it.each<[string, StatusProjection, Event[], StatusProjection]>([
    [
      'the usual way',
      fresh('sending'),
      [told('queued', 1), told('sent', 2), told('delivered', 3), told('read', 4)],
      fresh('read', { queuedAt: 1, sentAt: 2, deliveredAt: 3, readAt: 4 }),
    ],
    [
      'a late "sent" does not overwrite "delivered"',
      fresh('sending'),
      [told('delivered', 3), told('sent', 4)],
      fresh('delivered', { sentAt: 4, deliveredAt: 3 }),
    ],
    ['a stage that nobody told stays empty', fresh('queued'), [told('read', 4)], fresh('read', { readAt: 4 })],
    [
      'a repeated stage keeps its earliest time',
      fresh('sent', { sentAt: 8 }),
      [told('sent', 5), told('sent', 9)],
      fresh('sent', { sentAt: 5 }),
    ],
    ['a callback raises a row that was never claimed', fresh('accepted'), [told('accepted', 1)], fresh('queued', { queuedAt: 1 })],
    ['a callback proves what an unknown outcome hid', fresh('unknown'), [told('sent', 1)], fresh('sent', { sentAt: 1 })],
    ['a callback raises a held row', fresh('held', { errorCode: 30_008 }), [told('sent', 1)], fresh('sent', { sentAt: 1 })],
    [
      'the error code comes with its status',
      fresh('sent'),
      [told('undelivered', 1, 63_024)],
      fresh('undelivered', { errorCode: 63_024, failedAt: 1 }),
    ],
    [
      '"delivered" has no error code, even if one is sent',
      fresh('sent'),
      [told('delivered', 1, 63_024)],
      fresh('delivered', { deliveredAt: 1 }),
    ],
    [
      'positive evidence beats a failure and says so',
      fresh('failed', { errorCode: 63_016, failedAt: 1 }),
      [told('delivered', 2)],
      fresh('delivered', { contradicted: true, failedAt: 1, deliveredAt: 2 }),
    ],
    [
      'a failure after a delivery is noted and changes nothing else',
      fresh('delivered', { deliveredAt: 1 }),
      [told('failed', 2, 30_008)],
      fresh('delivered', { contradicted: true, deliveredAt: 1, failedAt: 2 }),
    ],
    ['evidence beats an ending of our own', fresh('expired'), [told('read', 2)], fresh('read', { contradicted: true, readAt: 2 })],
    [
      'of two failures the greater word wins',
      fresh('undelivered', { failedAt: 1 }),
      [told('failed', 2, 30_008)],
      fresh('undelivered', { failedAt: 1 }),
    ],
    [
      'of two equal words the greater error code wins',
      fresh('failed', { errorCode: 30_008, failedAt: 1 }),
      [told('failed', 2, 63_016)],
      fresh('failed', { errorCode: 63_016, failedAt: 1 }),
    ],
    ['an error code beats none', fresh('failed', { failedAt: 1 }), [told('failed', 2, 0)], fresh('failed', { errorCode: 0, failedAt: 1 })],
    [
      'a lower error code changes nothing',
      fresh('failed', { errorCode: 63_016, failedAt: 1 }),
      [told('failed', 2, 30_008)],
      fresh('failed', { errorCode: 63_016, failedAt: 1 }),
    ],
    ['an unknown word changes nothing', fresh('sent', { sentAt: 1 }), [told('teleported', 2, 5)], fresh('sent', { sentAt: 1 })],
  ])('%s', (_label, start, events, expected) => {
    expect(applyAll(start, events)).toEqual(expected);
  });
});

describe('compareProgress', () => {
  const state = fc.record({ status: fc.constantFrom(...(Object.keys(MESSAGE_STATUSES) as MessageStatus[])), errorCode });

  it('is a total order: equal only for the same state, opposite the other way round, transitive', () => {
    fc.assert(
      fc.property(state, state, state, (a, b, c) => {
        const same = a.status === b.status && a.errorCode === b.errorCode;
        expect(compareProgress(a, b) === 0).toBe(same);
        expect(Math.sign(compareProgress(a, b)) + Math.sign(compareProgress(b, a))).toBe(0);
        const [lowest, , highest] = [a, b, c].toSorted(compareProgress);
        expect(lowest && highest && compareProgress(lowest, highest)).toBeLessThanOrEqual(0);
      }),
      { numRuns: 500 },
    );
  });
});
