// Rollups of messages whose callbacks come late, twice and contradict each other, while folds are killed, against a recomputation from the log.
import { applyStatuses, createDatabase, foldDeliveryMetrics, getPlatformDeliveryMetrics, type Database } from '@tickmark/delivery';
import { newMessageId, percentileOf, SKETCH_ERROR, type StatusEvent } from '@tickmark/domain';
import { randomPhone, randomSid, statusEvent, testDatabase } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chooseSeed, fullOrReduced, seededRandom } from './support/counts.ts';
import { recomputeMetrics, STAGES, type Recomputed } from './support/recompute-metrics.ts';

const MESSAGES = fullOrReduced(100_000, 4_000);
const SENDERS = ['support', 'shop', 'news'];
const START_MS = Date.UTC(2026, 2, 1, 19);
/** Over midnight. */
const SPAN_MS = 8 * 3_600_000;
const CODES = [30_008, 63_016, 63_018, 63_024];
const INSERT_ROWS = 5_000;
const WRITERS = 3;
const TRIES_MAX = 20;
const FOLDERS_NAME = 'tickmark-rollups-fold';

const seed = chooseSeed();
const random = seededRandom(seed);
/** From 0 up to but not including `end`. */
const randomBelow = (end: number) => random.between(0, end - 1);

let db: Database;
let folders: Database;
let drop: () => Promise<void>;
beforeAll(async () => {
  console.log(`seed ${seed}: TICKMARK_TEST_SEED=${seed} repeats it`);
  const database = await testDatabase();
  drop = database.drop;
  db = createDatabase({ url: database.url, prepare: true, max: WRITERS + 2, applicationName: 'tickmark-rollups-test' });
  folders = createDatabase({ url: database.url, prepare: true, max: 2, applicationName: FOLDERS_NAME });
});
afterAll(async () => {
  await Promise.all([folders.close(), db.close()]);
  await drop();
});

interface Message {
  id: string;
  sid: string;
  sender: string;
  createdAt: number;
}

it(`rollups of ${MESSAGES} messages equal a recomputation from the exported log, and percentiles are as near as promised`, async () => {
  const messages = Array.from({ length: MESSAGES }, (): Message => {
    const sender = SENDERS[randomBelow(SENDERS.length)] ?? '';
    return { id: newMessageId(), sid: randomSid(), sender, createdAt: START_MS + randomBelow(SPAN_MS) };
  });
  const { folds, killed } = await whileFolding(async () => {
    await insertAll(messages);
    const told = messages.map(tellOf);
    await applyAll(random.shuffled(told.flatMap(({ first }) => first)));
    // Repeated with a later time, when the first one is in the log: Twilio sends a callback again that was not answered.
    await applyAll(random.shuffled(told.flatMap(({ again }) => again)));
    await db.sql`
      UPDATE whatsapp_messages SET status = 'failed', rank = 50, error_code = 21211, failed_at = now()
      WHERE message_sid IS NULL AND get_byte(uuid_send(id), 15) < 128`;
  });
  await foldDeliveryMetrics(db);

  const expected = await recomputeMetrics(db);
  const rollups = await readRollups();
  expect(rollups.counts).toEqual(expected.counts);
  const worst = comparePercentiles(rollups, expected);
  expect(worst).toBeLessThanOrEqual(SKETCH_ERROR * (1 + 1e-9));
  await expectDaysToBeSums();
  const [log] = await db.sql<{ lines: number }[]>`SELECT count(*)::int AS lines FROM message_status_logs`;
  expect(killed).toBeGreaterThan(0);
  console.log(
    `${MESSAGES} messages, ${log?.lines} log rows, ${Object.keys(expected.counts).length} hours × senders equal; ` +
      `${folds} folds, ${killed} killed; worst percentile off by ${(worst * 100).toFixed(2)} %`,
  );
}, 300_000);

/** One in thirty was never sent; one in eight was meant for later. */
async function insertAll(messages: readonly Message[]): Promise<void> {
  const rows = messages.map((message, index) => ({
    ...message,
    sid: index % 30 === 0 ? null : message.sid,
    sendAt: index % 8 === 0 ? new Date(message.createdAt + 90_000).toISOString() : null,
  }));
  for (let start = 0; start < rows.length; start += INSERT_ROWS) {
    const batch = rows.slice(start, start + INSERT_ROWS);
    await db.sql`
      INSERT INTO whatsapp_messages (id, sender, recipient, priority, message_sid, sid_source, status, rank, due_at, attempts, created_at, accepted_at, send_at)
      SELECT id, sender, recipient, 'bulk', sid, CASE WHEN sid IS NOT NULL THEN 'record' END, CASE WHEN sid IS NULL THEN 'accepted' ELSE 'queued' END,
        CASE WHEN sid IS NULL THEN 0 ELSE 20 END, now(), 1, at, at - interval '0.2 s', send_at
      FROM unnest(${batch.map(({ id }) => id)}::uuid[], ${batch.map(({ sender }) => sender)}::text[],
        ${batch.map(() => `whatsapp:${randomPhone()}`)}::text[], ${batch.map(({ sid }) => sid)}::text[],
        ${batch.map(({ createdAt }) => new Date(createdAt).toISOString())}::timestamptz[], ${batch.map(({ sendAt }) => sendAt)}::timestamptz[])
        AS m (id, sender, recipient, sid, at, send_at)`;
  }
}

/** What Twilio tells of one message: most often the usual, sometimes with contradictions, and now and then of one that nobody here sent. */
function tellOf(message: Message, index: number): { first: StatusEvent[]; again: StatusEvent[] } {
  if (index % 30 === 0) return { first: [], again: [] };
  let at = message.createdAt;
  const isStranger = index % 200 === 1;
  const event = (rawStatus: string, errorCode: number | null = null): StatusEvent => {
    at += Math.floor(20 * 10 ** (random.next() * 5));
    const named = isStranger
      ? { messageSid: randomSid(), from: `whatsapp:+49301234${index % 3}` }
      : { messageSid: message.sid, messageId: message.id, attempt: 1 };
    return statusEvent({ ...named, rawStatus, errorCode, receivedAt: new Date(at).toISOString() });
  };
  const failure = () => event(randomBelow(2) === 0 ? 'failed' : 'undelivered', CODES[randomBelow(CODES.length)] ?? null);
  const first = [event('queued'), event('sent')].filter(() => randomBelow(8) > 0);
  const fate = randomBelow(10);
  if (fate < 6) first.push(event('delivered'));
  if (fate < 4) first.push(event('read'));
  if (fate === 5 || fate > 6) first.push(failure());
  if (fate === 9) first.push(failure());
  const again = first
    .filter(() => randomBelow(5) === 0)
    .map((told) => ({ ...told, receivedAt: new Date(at + random.between(1, 89_999)).toISOString() }));
  // The very same one twice: a job that was carried out again.
  return { first: randomBelow(5) === 0 ? [...first, ...first.slice(0, 1)] : first, again };
}

/** As a worker does: what waited too long for a row of another batch is given again. */
async function applyBatch(batch: readonly StatusEvent[]): Promise<void> {
  let waiting = [...batch];
  for (let tries = 1; waiting.length > 0; tries += 1) {
    const settled = await applyStatuses(db, waiting);
    const failed = settled.find((result) => !result.ok);
    if (tries === TRIES_MAX && failed) throw failed.error;
    waiting = waiting.filter((_event, index) => settled[index]?.ok !== true);
  }
}

async function applyAll(events: readonly StatusEvent[]): Promise<void> {
  let next = 0;
  const write = async () => {
    while (next < events.length) {
      const batch = events.slice(next, (next += random.between(50, 500)));
      await applyBatch(batch);
    }
  };
  await Promise.all(Array.from({ length: WRITERS }, write));
}

async function whileFolding(work: () => Promise<void>): Promise<{ folds: number; killed: number }> {
  const end = new AbortController();
  const folding = foldAndKill(end.signal);
  await work().finally(() => end.abort());
  return folding;
}

/** Folds in small batches all the time; every few its connection is killed from outside while it is at it. */
async function foldAndKill(signal: AbortSignal): Promise<{ folds: number; killed: number }> {
  let [folds, killed] = [0, 0];
  while (!signal.aborted) {
    const folding = foldDeliveryMetrics(folders, { batchRows: 200 }).then(
      () => (folds += 1),
      () => (killed += 1),
    );
    if (randomBelow(4) === 0) {
      await db.sql`
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ${FOLDERS_NAME} AND datname = current_database() AND state <> 'idle'`;
    }
    await folding;
  }
  return { folds, killed };
}

interface Rollups {
  counts: Recomputed['counts'];
  sketches: Map<string, Record<string, Map<number, number>>>;
}

async function readRollups(): Promise<Rollups> {
  const rows = await db.sql<
    { hour: Date; sender: string; measures: Record<string, number> }[]
  >`SELECT hour, sender, measures FROM message_delivery_metrics`;
  const rollups: Rollups = { counts: {}, sketches: new Map() };
  for (const { hour, sender, measures } of rows) {
    const key = `${hour.toISOString().slice(0, 13)}Z ${sender}`;
    const sketches: Record<string, Map<number, number>> = {};
    for (const stage of STAGES) sketches[stage] = new Map();
    for (const [measure, count] of Object.entries(measures)) {
      const [name = '', bucket = ''] = measure.split(' ');
      if (sketches[name]) sketches[name].set(Number(bucket), count);
      else (rollups.counts[key] ??= {})[measure] = count;
    }
    rollups.sketches.set(key, sketches);
  }
  return rollups;
}

/** @returns the worst error of all percentiles of all hours, as a share of the exact value */
function comparePercentiles({ sketches }: Rollups, { latencies }: Recomputed): number {
  let worst = 0;
  for (const [key, stages] of latencies) {
    for (const stage of STAGES) {
      const exact = stages[stage].toSorted((a, b) => a - b);
      const sketch = sketches.get(key)?.[stage] ?? new Map<number, number>();
      expect([...sketch.values()].reduce((sum, count) => sum + count, 0)).toBe(exact.length);
      for (const q of [0.01, 0.5, 0.95, 0.99, 1]) {
        const value = exact[Math.max(1, Math.ceil(q * exact.length)) - 1];
        if (value === undefined) continue;
        const told = percentileOf(sketch, q) ?? NaN;
        expect(told).not.toBeNaN();
        worst = Math.max(worst, value === 0 ? told : Math.abs(told - value) / value);
      }
    }
  }
  return worst;
}

/** A day is the merge of its hours, also in its percentiles: both are made from the same counts. */
async function expectDaysToBeSums(): Promise<void> {
  const range = { since: new Date(START_MS), until: new Date(START_MS + 48 * 3_600_000) };
  const days = await getPlatformDeliveryMetrics({ db }, { ...range, bucket: 'day' });
  const hours = await getPlatformDeliveryMetrics({ db }, range);
  expect(days.totals).toEqual(hours.totals);
  expect(days.latency).toEqual(hours.latency);
  const sum = days.series.reduce((total, { totals }) => total + totals.messages, 0);
  expect([sum, hours.series.reduce((total, { totals }) => total + totals.messages, 0)]).toEqual([
    days.totals.messages,
    days.totals.messages,
  ]);
}
