import { applyStatusEvent, rankOf, type StatusEvent, type StatusProjection } from '@tickmark/domain';
import { randomSid, statusEvent } from '@tickmark/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { accepted, deliveryRoom, valuesOf, type Row } from './fixtures/delivery-room.ts';
import { recordOutcome } from './record-outcome.ts';

const RUNS = 120;
const EPOCH = Date.UTC(2026, 0, 2, 3, 4, 5);

const room = deliveryRoom({ max: 6 });

interface Told {
  rawStatus: string;
  errorCode: number | null;
  receivedAt: number;
  /** Whether the callback's URL named our row; a poll names none. */
  named: boolean;
}

const told: fc.Arbitrary<Told> = fc.record({
  rawStatus: fc.constantFrom(
    'accepted',
    'queued',
    'sending',
    'sent',
    'delivered',
    'read',
    'failed',
    'undelivered',
    'canceled',
    'Sent',
    'novel',
  ),
  errorCode: fc.constantFrom(null, 30008, 63016),
  receivedAt: fc.integer({ min: 0, max: 10_000 }),
  named: fc.boolean(),
});

/** What was told of one message, and one way in which it arrives: an order with repetitions, cut into batches, beside the call's record. */
const story = fc.array(told, { minLength: 1, maxLength: 6 }).chain((facts) =>
  fc.record({
    facts: fc.constant(facts),
    arrivals: fc
      .array(fc.nat({ max: facts.length - 1 }), { maxLength: 8 })
      .chain((more) => fc.shuffledSubarray([...facts.keys(), ...more], { minLength: facts.length + more.length })),
    cuts: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 16, maxLength: 16 }),
    recordBefore: fc.nat({ max: 6 }),
  }),
);

describe('statuses of a message', () => {
  it(`end in the same row and the same log in any order, repeated and in batches at once (${RUNS} stories)`, async () => {
    await fc.assert(
      fc.asyncProperty(story, async ({ facts, arrivals, cuts, recordBefore }) => {
        const { id } = await room.insert();
        const { token } = await room.claim(id);
        const sid = randomSid();
        const events = arrivals.flatMap((index) => facts.slice(index, index + 1)).map((fact) => toEvent(fact, id, sid));
        const writes = cutInBatches(events, cuts).map((batch) => () => applyStatuses(room.db, batch).then(valuesOf).then(countLogged));
        const record = () =>
          recordOutcome(room.db, [{ id, attempt: 1, token, outcome: accepted(sid) }])
            .then(valuesOf)
            .then(() => 0);
        writes.splice(recordBefore, 0, record);
        const logged = await Promise.all(writes.map((write) => write()));

        expect(projectionOf((await room.row(id))!)).toEqual(expectedProjection(facts));
        const logs = await room.logs([sid]);
        expect(logs.map(lineOf).toSorted()).toEqual(expectedLog(facts));
        expect(logs.every((line) => line['message_id'] === id)).toBe(true);
        // Each line was told to exactly one caller, so that each is counted once.
        expect(logged.reduce((sum, count) => sum + count, 0)).toBe(logs.length);
        expect(await rowsWithSid(sid)).toEqual([id]);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  }, 120_000);
});

function toEvent(fact: Told, id: string, sid: string): StatusEvent {
  const { rawStatus, errorCode } = fact;
  return statusEvent({
    messageSid: sid,
    messageId: fact.named ? id : null,
    attempt: fact.named ? 1 : null,
    rawStatus,
    errorCode,
    receivedAt: new Date(EPOCH + fact.receivedAt).toISOString(),
  });
}

function cutInBatches<T>(items: readonly T[], sizes: readonly number[]): T[][] {
  const batches: T[][] = [];
  for (let start = 0, size = 0; start < items.length; start += size) {
    size = sizes[batches.length % sizes.length] ?? 1;
    batches.push(items.slice(start, start + size));
  }
  return batches;
}

function countLogged(applied: readonly { logged: boolean }[]): number {
  return applied.filter(({ logged }) => logged).length;
}

/** The pure transition of the domain, folded over the facts in the order in which they were made up. */
function expectedProjection(facts: readonly Told[]): Row {
  const created: StatusProjection = {
    status: 'queued',
    errorCode: null,
    contradicted: false,
    queuedAt: null,
    sentAt: null,
    deliveredAt: null,
    readAt: null,
    failedAt: null,
  };
  const folded = facts.reduce((row, fact) => applyStatusEvent(row, fact), created);
  return {
    ...folded,
    rank: rankOf(folded.status),
    queuedAt: folded.queuedAt === null ? 'recorded' : iso(folded.queuedAt),
    ...stagesOf(folded),
  };
}

function stagesOf({ sentAt, deliveredAt, readAt, failedAt }: StatusProjection): Row {
  return { sentAt: iso(sentAt), deliveredAt: iso(deliveredAt), readAt: iso(readAt), failedAt: iso(failedAt) };
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(EPOCH + ms).toISOString();
}

function projectionOf(row: Row): Row {
  const time = (name: string) => (row[name] === null ? null : new Date(String(row[name])).toISOString());
  return {
    status: row['status'] ?? null,
    rank: row['rank'] ?? null,
    errorCode: row['error_code'] ?? null,
    contradicted: row['contradicted'] ?? null,
    // The record's own time is later than every told one.
    queuedAt: Date.parse(String(row['queued_at'])) > EPOCH + 60_000 ? 'recorded' : time('queued_at'),
    sentAt: time('sent_at'),
    deliveredAt: time('delivered_at'),
    readAt: time('read_at'),
    failedAt: time('failed_at'),
  };
}

function expectedLog(facts: readonly Told[]): string[] {
  return [...new Set(facts.map(({ rawStatus, errorCode }) => `${rawStatus} ${errorCode}`))].toSorted();
}

function lineOf(line: Row): string {
  return `${line['status']} ${line['error_code']}`;
}

async function rowsWithSid(sid: string): Promise<string[]> {
  const rows = await room.db.sql<{ id: string }[]>`SELECT id FROM whatsapp_messages WHERE message_sid = ${sid}`;
  return rows.map((row) => row.id);
}
