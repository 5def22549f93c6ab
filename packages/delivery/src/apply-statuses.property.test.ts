import { randomUUID } from 'node:crypto';
import { externalMessageId, type StatusEvent } from '@tickmark/domain';
import { acceptedMessage, randomSid, statusEvent } from '@tickmark/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyStatuses } from './apply-statuses.ts';
import { claimForSending } from './claim-for-sending.ts';
import { accepted, CLAIM_RULES, deliveryRoom, valuesOf, type Row } from './fixtures/delivery-room.ts';
import { insertAccepted } from './insert-accepted.ts';
import { recordOutcome } from './record-outcome.ts';

const RUNS = 1_000;
const EPOCH = Date.UTC(2026, 0, 2, 3, 4, 5);
const LAST_MOMENT = 9_999;

const room = deliveryRoom({ max: 6 });

const WORDS = ['accepted', 'queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'undelivered', 'canceled', 'Sent', 'novel'] as const;

/** One thing that Twilio tells of a message. */
const told = fc.record({
  rawStatus: fc.constantFrom(...WORDS),
  errorCode: fc.constantFrom(null, 30008, 63016),
  receivedAt: fc.integer({ min: 0, max: 10_000 }),
  /** Whether the callback's URL named our row; a poll names none. */
  named: fc.boolean(),
  /** When it arrives, and arrives again; never = the callback is lost, and a poll repairs that afterwards. */
  arrivals: fc.array(fc.nat({ max: LAST_MOMENT }), { maxLength: 2 }),
});
type Told = typeof told extends fc.Arbitrary<infer T> ? T : never;

/** Whose a message is: sent by us, sent by us but its row is lost, or somebody else's. */
const origin = fc.constantFrom('api', 'api', 'recovered', 'external');

/** Everything told of two messages at the same time, cut into batches without regard to whose it is, beside the records of their calls. */
const story = fc.record({
  messages: fc.array(
    fc.record({ origin, facts: fc.array(told, { minLength: 1, maxLength: 5 }), recordedAt: fc.nat({ max: LAST_MOMENT }) }),
    {
      minLength: 2,
      maxLength: 2,
    },
  ),
  cuts: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 }),
});

interface Message {
  /** Of our row, or what the callbacks' URLs say of it. */
  id: string;
  origin: string;
  sid: string;
  token: string;
  recordedAt: number;
  facts: readonly Told[];
}

describe('statuses of messages', () => {
  it(`end in the same rows and the same log in any order, repeated, lost and repaired, in batches at once (${RUNS} stories)`, async () => {
    await fc.assert(
      fc.asyncProperty(story, async ({ messages: plots, cuts }) => {
        const messages = await sendAll(plots);
        let logged = await tell(messages, cuts);
        logged += await repair(messages, cuts);

        const rows = await rowsOf(messages);
        const logs = await room.logs(messages.map(({ sid }) => sid));
        for (const message of messages) {
          const { sid, facts } = message;
          const id = expectedId(message);
          expect(rows.filter((row) => row['message_sid'] === sid).map(projectionOf)).toEqual([{ id, ...expectedProjection(message) }]);
          const lines = logs.filter((line) => line['message_sid'] === sid);
          expect(lines.map(lineOf).toSorted()).toEqual(expectedLog(facts));
          expect(lines.every((line) => line['message_id'] === id)).toBe(true);
        }
        // Each line was told to exactly one caller, so that each is counted once.
        expect(logged).toBe(logs.length);
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  }, 400_000);
});

/** Messages whose calls were made; nobody was told yet what came of them. */
async function sendAll(plots: readonly Pick<Message, 'origin' | 'facts' | 'recordedAt'>[]): Promise<Message[]> {
  const messages = plots.map((plot) => ({ ...plot, id: acceptedMessage().id, sid: randomSid(), token: randomUUID() }));
  valuesOf(
    await insertAccepted(
      room.db,
      messages.filter(isSent).map(({ id }) => acceptedMessage({ id })),
    ),
  );
  valuesOf(
    await claimForSending(
      room.db,
      messages.filter(isSent).map(({ id, token }) => ({ id, token })),
      CLAIM_RULES,
    ),
  );
  return messages;
}

/** Everything that arrives, in its order of arrival, all batches at once. @returns how many lines the callers were told they added */
async function tell(messages: readonly Message[], cuts: readonly number[]): Promise<number> {
  const arrivals = messages.flatMap((message) =>
    message.facts.flatMap((fact) => fact.arrivals.map((at) => ({ at, event: toEvent(message, fact) }))),
  );
  const writes = cutInBatches(
    arrivals.toSorted((a, b) => a.at - b.at),
    cuts,
  ).map((batch) => ({ at: batch[0]?.at ?? 0, write: () => applyAndCount(batch.map(({ event }) => event)) }));
  const records = messages.filter(isSent).map((message) => ({ at: message.recordedAt, write: () => record(message) }));
  const inOrder = [...writes, ...records].toSorted((a, b) => a.at - b.at);
  return sum(await Promise.all(inOrder.map(({ write }) => write())));
}

async function repair(messages: readonly Message[], cuts: readonly number[]): Promise<number> {
  const lost = messages.flatMap((message) =>
    message.facts.filter(({ arrivals }) => arrivals.length === 0).map((fact) => toEvent(message, { ...fact, named: false }, 'poll')),
  );
  return sum(await Promise.all(cutInBatches(lost, cuts).map(applyAndCount)));
}

async function applyAndCount(events: readonly StatusEvent[]): Promise<number> {
  return valuesOf(await applyStatuses(room.db, events)).filter(({ logged }) => logged).length;
}

async function record({ id, token, sid }: Message): Promise<number> {
  valuesOf(await recordOutcome(room.db, [{ id, attempt: 1, token, outcome: accepted(sid) }]));
  return 0;
}

function isSent({ origin: whose }: Message): boolean {
  return whose === 'api';
}

/** A lost row comes back as soon as one callback names it; what nobody names is somebody else's. */
function expectedId({ id, sid, origin: whose, facts }: Message): string {
  const isNamed = whose === 'api' || (whose === 'recovered' && facts.some(({ named, arrivals }) => named && arrivals.length > 0));
  return isNamed ? id : externalMessageId(sid);
}

function toEvent(
  { id, sid, origin: whose }: Message,
  { rawStatus, errorCode, receivedAt, ...fact }: Told,
  source: StatusEvent['source'] = 'callback',
) {
  const named = fact.named && whose !== 'external';
  return statusEvent({
    messageSid: sid,
    messageId: named ? id : null,
    attempt: named ? 1 : null,
    rawStatus,
    errorCode,
    receivedAt: new Date(EPOCH + receivedAt).toISOString(),
    source,
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

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}

/** What each word of Twilio means, told once more and apart from the code: rank, status, and the stage whose time it sets. */
const MEANING: Record<string, { rank: number; status: string; stage: 'queuedAt' | 'sentAt' | 'deliveredAt' | 'readAt' | 'failedAt' }> = {
  accepted: { rank: 20, status: 'queued', stage: 'queuedAt' },
  queued: { rank: 20, status: 'queued', stage: 'queuedAt' },
  sending: { rank: 20, status: 'queued', stage: 'queuedAt' },
  sent: { rank: 40, status: 'sent', stage: 'sentAt' },
  canceled: { rank: 50, status: 'canceled', stage: 'failedAt' },
  failed: { rank: 50, status: 'failed', stage: 'failedAt' },
  undelivered: { rank: 50, status: 'undelivered', stage: 'failedAt' },
  delivered: { rank: 60, status: 'delivered', stage: 'deliveredAt' },
  read: { rank: 70, status: 'read', stage: 'readAt' },
};

/** The row as a set of facts makes it: nothing here knows of an order or of repetitions. */
function expectedProjection(message: Message): Row {
  const { facts } = message;
  const known = facts.flatMap(({ rawStatus, errorCode, receivedAt }) => {
    const meaning = MEANING[rawStatus.toLowerCase()];
    return meaning ? [{ ...meaning, receivedAt, errorCode: meaning.rank >= 60 ? null : errorCode }] : [];
  });
  const created = { rank: 20, status: 'queued', errorCode: null };
  const strength = (fact: typeof created | (typeof known)[number]) => `${fact.rank} ${fact.status} ${fact.errorCode ?? 0}`;
  const winner = [created, ...known].reduce((a, b) => (strength(b) > strength(a) ? b : a));
  const earliest = (stage: string) => {
    const times = known.filter((fact) => fact.stage === stage).map(({ receivedAt }) => receivedAt);
    return times.length === 0 ? null : new Date(EPOCH + Math.min(...times)).toISOString();
  };
  return {
    status: winner.status,
    rank: winner.rank,
    errorCode: winner.errorCode,
    contradicted: known.some(({ rank }) => rank > 50) && known.some(({ rank }) => rank === 50),
    queuedAt: earliest('queuedAt') ?? (isSent(message) ? 'recorded' : null),
    sentAt: earliest('sentAt'),
    deliveredAt: earliest('deliveredAt'),
    readAt: earliest('readAt'),
    failedAt: earliest('failedAt'),
  };
}

function projectionOf(row: Row): Row {
  const time = (name: string) => (row[name] === null ? null : new Date(String(row[name])).toISOString());
  return {
    id: row['id'] ?? null,
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

/** Found by sid as well: a second row with one of the sids must not stay unseen. */
async function rowsOf(messages: readonly Message[]): Promise<Row[]> {
  const rows = await room.db.sql<{ row: Row }[]>`
    SELECT to_jsonb(m) AS row FROM whatsapp_messages m
    WHERE id = ANY (${messages.map(({ id }) => id)}::uuid[]) OR message_sid = ANY (${messages.map(({ sid }) => sid)}::text[])`;
  return rows.map(({ row }) => row);
}
