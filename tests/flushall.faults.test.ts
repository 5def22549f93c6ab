// The promise: what has its row survives the loss of everything in Redis. Each message is sent once, and none before its time.
import { endStop, openStop } from '@tickmark/delivery';
import { createProducers, type Producers } from '@tickmark/queues';
import { captureLogger, randomPhone, startOwnRedis, waitFor, type OwnRedis } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findWorstWindow } from './support/judge-pace.ts';
import { startPipeline, type Ledger, type Pipeline } from './support/pipeline.ts';

const COUNTS = { accepted: 5_000, retrying: 200, scheduled: 500, tomorrow: 50 };
/** Messages per request, the most that there may be. */
const BATCH = 1_000;
const SENDERS = ['support', 'shop', 'news'] as const;
/** Of each sender. */
const MPS = 100;
/** Sent before everything is lost. */
const SENT_BEFORE = 300;
/** No callbacks come: what a call was answered is all that is judged here. */
const SIMULATOR_SETTINGS = JSON.stringify({ callbacks: { drop: 1 } });
const STOP = { scope: 'all', target: '*', actor: 'test' } as const;

let redis: OwnRedis;
let pipeline: Pipeline;
let producers: Producers;
beforeAll(async () => {
  redis = await startOwnRedis();
  const { redisUrl } = redis;
  pipeline = await startPipeline({
    apps: ['ingress', 'worker', 'simulator'],
    mps: { support: MPS, shop: MPS, news: MPS },
    env: { REDIS_URL: redisUrl, SIMULATOR_SETTINGS, RATE_LIMIT_PER_KEY: '0' },
  });
  producers = createProducers({ redisUrl, base: pipeline.env['QUEUE_PREFIX'] ?? '', log: captureLogger({ process: 'test' }).log });
}, 150_000);
afterAll(async () => {
  await producers.close();
  await pipeline.stop();
  await redis.stop();
}, 120_000);

const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000).toISOString();

async function accept(count: number, values: object = {}): Promise<string[]> {
  const ids: string[] = [];
  while (ids.length < count) {
    const message = (index: number) => ({ to: randomPhone(), from: SENDERS[index % 3], contentSid: `HX${'1'.repeat(32)}`, ...values });
    const messages = Array.from({ length: Math.min(BATCH, count - ids.length) }, (_, index) => message(index));
    const answer = (await (await pipeline.post('/v1/messages/batch', { messages })).json()) as { results: { id: string }[] };
    ids.push(...answer.results.map(({ id }) => id));
  }
  return ids;
}

/** How many of the messages have their row and their job. */
async function jobsOf(ids: readonly string[]): Promise<number> {
  const rows = await pipeline.db.sql<{ id: string; sender: string }[]>`
    SELECT id, sender FROM whatsapp_messages WHERE id = ANY (${ids}::uuid[])`;
  return (await producers.hasSendJobs(rows)).filter(Boolean).length;
}

/** Some rows as after a 429, those and the scheduled ones due within seconds. @returns when each is due */
async function putOff(scheduled: readonly string[], retrying: readonly string[]): Promise<Map<string, number>> {
  const { sql } = pipeline.db;
  await sql`
    UPDATE whatsapp_messages SET status = 'retrying', attempts = 1, throttles = 1, outcome = 'throttled', claim_token = gen_random_uuid(),
      claimed_at = now() - interval '1 minute', ended_at = now()
    WHERE id = ANY (${retrying}::uuid[])`;
  const rows = await sql<{ id: string; dueAt: Date }[]>`
    UPDATE whatsapp_messages SET due_at = now() + interval '10 seconds' + random() * interval '15 seconds'
    WHERE id = ANY (${[...scheduled, ...retrying]}::uuid[])
    RETURNING id, due_at AS "dueAt"`;
  return new Map(rows.map(({ id, dueAt }) => [id, dueAt.getTime()]));
}

/** Most messages that left from one sender within a second, wherever it begins. */
function worstSecond({ creates }: Ledger): number {
  const rule = { windowMs: 999, ratioMax: 1.25, graceMs: 0 };
  const counts = Object.values(pipeline.senders).map((address) => {
    const timesMs = creates.filter(({ from }) => from === address).map(({ at }) => Date.parse(at));
    return findWorstWindow(
      timesMs.toSorted((one, other) => one - other),
      [{ atMs: 0, mps: MPS }],
      rule,
    ).count;
  });
  return Math.max(...counts);
}

it('after FLUSHALL every accepted, scheduled and retrying message is sent once, none early, at the pace of its sender', async () => {
  await openStop(pipeline.db, { ...STOP, forMs: null });
  const accepted = await accept(COUNTS.accepted + COUNTS.retrying);
  const scheduled = await accept(COUNTS.scheduled, { sendAt: inMinutes(30) });
  await accept(COUNTS.tomorrow, { sendAt: inMinutes(24 * 60) });
  const due = [...accepted, ...scheduled];
  await waitFor(async () => (await jobsOf(due)) === due.length, { timeoutMs: 60_000, intervalMs: 250, message: 'a job for each message' });
  const dueAt = await putOff(scheduled, accepted.slice(-COUNTS.retrying));

  await endStop(pipeline.db, { ...STOP, source: 'operator' });
  await waitFor(async () => (await pipeline.ledger()).creates.length >= SENT_BEFORE, {
    timeoutMs: 60_000,
    intervalMs: 100,
    message: 'the first messages to be sent',
  });
  const startMs = performance.now();
  await redis.wipe();
  await waitFor(async () => (await pipeline.ledger()).creates.length >= due.length, {
    timeoutMs: 280_000,
    intervalMs: 500,
    message: 'every message to be sent',
  });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  // On a machine that stalls, a call's answer can be lost: such a row is unknown until the reconciler has looked.
  const unsent = () => pipeline.db.sql`
    SELECT status, count(*)::int AS count FROM whatsapp_messages WHERE message_sid IS NULL AND status <> 'unknown' GROUP BY status`;
  await waitFor(async () => (await unsent()).length === 1, { timeoutMs: 60_000, message: 'each outcome to be recorded' });

  const ledger = await pipeline.ledger();
  const early = ledger.creates.filter(({ m, at }) => Date.parse(at) < (dueAt.get(m ?? '') ?? 0));
  console.log(`flushall: ${ledger.creates.length} created ${seconds} s later, ${early.length} early, worst second ${worstSecond(ledger)}`);
  const called = new Set(ledger.creates.map(({ m }) => m));
  expect({ calls: ledger.creates.length, messages: called.size }).toEqual({ calls: due.length, messages: due.length });
  expect(due.filter((id) => !called.has(id))).toEqual([]);
  expect(early).toEqual([]);
  expect([...(await unsent())]).toEqual([{ status: 'scheduled', count: COUNTS.tomorrow }]);
  expect(worstSecond(ledger)).toBeLessThanOrEqual(1.25 * MPS);
}, 420_000);
