// What a message costs Postgres while many are sent: the group commits of claims and outcomes, seen from the server.
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { randomPhone, waitFor } from '@tickmark/testing';
import { fullOrReduced } from './support/counts.ts';
import { countStatements, NOT_COUNTED, resetStatements } from './support/count-statements.ts';
import { postBatches } from './support/messages.ts';
import { startPipeline, type Pipeline } from './support/pipeline.ts';

/** Fewer than there are different phones. */
const MESSAGES = fullOrReduced(9_000, 4_000);
const IN_FLIGHT = 100;
const LATENCY_MS = 150;
const CALLBACKS_PER_MESSAGE = 3;

const STATEMENTS_MAX = 0.2;
/** A slower machine is excused for what its processes ask for by the clock in the time that it takes longer. */
const MESSAGES_PER_SECOND = 100;
const IDLE_SECONDS = 8;

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline({
    apps: ['ingress', 'worker', 'simulator'],
    // As good as none: what bounds the sends is how many are in flight.
    mps: { support: 10_000, shop: 10_000, news: 10_000 },
    env: { LOG_LEVEL: 'info', WORKER_CONCURRENCY: String(IN_FLIGHT), SIMULATOR_SETTINGS: JSON.stringify({ latencyMs: LATENCY_MS }) },
  });
}, 120_000);
afterAll(() => pipeline.stop(), 120_000);

const messages = (count: number) =>
  Array.from({ length: count }, (_item, index) => ({
    to: randomPhone(),
    from: index % 2 === 0 ? 'support' : 'shop',
    contentSid: `HX${'1'.repeat(32)}`,
  }));

/** Waits until all are sent and no more callbacks come in: not until all are read, because a busy machine may lose an answer or a callback. */
async function untilQuiet(count: number): Promise<void> {
  const { sql } = pipeline.db;
  let toldBefore = 0;
  const isQuiet = async () => {
    const [row] = await sql<{ there: number; waiting: number; told: number }[]>`
      SELECT ${sql.unsafe(NOT_COUNTED)} count(*)::int AS there, (SELECT count(*)::int FROM message_status_logs) AS told,
        count(*) FILTER (WHERE status IN ('accepted', 'retrying', 'sending'))::int AS waiting
      FROM whatsapp_messages`;
    const { there = 0, waiting = 0, told = 0 } = row ?? {};
    const quiet = there === count && waiting === 0 && told > 0 && told === toldBefore;
    toldBefore = told;
    return quiet;
  };
  await waitFor(isQuiet, { timeoutMs: 240_000, intervalMs: 3_000, message: `${count} messages to be sent` });
}

it('a sent message costs less than 0.2 statements at 100 calls in flight, besides its callbacks', async () => {
  const warmUp = 200;
  await postBatches(pipeline, messages(warmUp));
  await untilQuiet(warmUp);
  await resetStatements(pipeline.db);
  await pause(IDLE_SECONDS * 1000);
  const idlePerSecond = (await countStatements(pipeline.db)).reduce((total, { calls }) => total + calls, 0) / IDLE_SECONDS;
  await resetStatements(pipeline.db);
  const startedMs = performance.now();
  await postBatches(pipeline, messages(MESSAGES));
  await untilQuiet(warmUp + MESSAGES);
  const seconds = (performance.now() - startedMs) / 1000;
  const counts = await countStatements(pipeline.db);
  const sum = (calls: (count: (typeof counts)[number]) => number) => counts.reduce((total, count) => total + calls(count), 0);
  const own = sum(({ calls, callbackCalls }) => calls - callbackCalls) / MESSAGES;
  const ofCallbacks = sum(({ callbackCalls }) => callbackCalls) / MESSAGES;
  const { callbacks } = await pipeline.ledger();
  console.log(
    [
      `statements: ${MESSAGES} messages in ${seconds.toFixed(0)} s, ${own.toFixed(3)} per message, and ${ofCallbacks.toFixed(3)} for its callbacks; ${idlePerSecond.toFixed(1)} per second when idle`,
      ...counts.map(({ text, calls, callbackCalls }) => `${String(calls).padStart(7)} (${callbackCalls} of callbacks) ${text}`),
    ].join('\n'),
  );
  expect(callbacks.length).toBeGreaterThanOrEqual(CALLBACKS_PER_MESSAGE * MESSAGES);
  const excused = (Math.max(0, seconds - MESSAGES / MESSAGES_PER_SECOND) * idlePerSecond) / MESSAGES;
  expect(own).toBeLessThan(STATEMENTS_MAX + excused);
}, 600_000);
