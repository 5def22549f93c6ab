// What a sender with a long queue does to another one, and to its own urgent messages.
import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { randomPhone, waitFor } from '@tickmark/testing';
import { fillQueue, postUntilAccepted } from './support/messages.ts';
import { startPipeline, type Pipeline } from './support/pipeline.ts';
import { tickmark } from './support/tickmark.ts';

const BUSY = { sender: 'shop', mps: 20 };
const IDLE = 'support';
const BACKLOG = 20_000;
/** Enough besides for what leaves while it is measured, so that so many wait at the end too. */
const SPARE = 2_000;

/** Each round measures without the busy sender and with it, so that what the machine does else meets both alike. */
const ROUNDS = 5;
const PER_ROUND = 60;
const EVERY_MS = 80;
const URGENT_PER_ROUND = 3;

const P95_RATIO_MAX = 2;
/** Beyond what a message takes when no other one waits: on a busy machine that alone may be seconds. In its turn it would wait for 17 minutes. */
const URGENT_MS_MAX = 2_000;

const template = { contentSid: `HX${'1'.repeat(32)}` };

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline({
    apps: ['ingress', 'worker', 'simulator'],
    mps: { support: 80, shop: BUSY.mps, news: 80 },
    env: { LOG_LEVEL: 'info', STATUS_CALLBACKS: 'off', SIMULATOR_SETTINGS: JSON.stringify({ latencyMs: 50 }) },
  });
}, 120_000);
afterAll(() => pipeline.stop(), 120_000);

interface Asked {
  recipient: string;
  atMs: number;
}

async function ask(from: string): Promise<Asked> {
  const to = randomPhone();
  const asked = { recipient: `whatsapp:${to}`, atMs: Date.now() };
  await postUntilAccepted(pipeline, { key: randomUUID(), request: { to, from, priority: 'transactional', ...template } });
  return asked;
}

/** How long each message took from its request to Twilio, in milliseconds, once all are there. */
async function delaysMs(asked: readonly Asked[]): Promise<number[]> {
  return waitFor(
    async () => {
      const { creates } = await pipeline.ledger();
      const callMs = new Map(creates.map(({ to, at }) => [to, Date.parse(at)]));
      const found = asked.map(({ recipient, atMs }) => (callMs.get(recipient) ?? Infinity) - atMs);
      return found.every(Number.isFinite) && found;
    },
    { timeoutMs: 60_000, intervalMs: 500, message: 'all messages of the round to reach Twilio' },
  );
}

async function measure(urgentCount: number): Promise<{ idle: number[]; urgent: number[] }> {
  const idle: Promise<Asked>[] = [];
  const urgent: Promise<Asked>[] = [];
  for (let index = 0; index < PER_ROUND; index++) {
    idle.push(ask(IDLE));
    if (index % Math.ceil(PER_ROUND / (urgentCount + 1)) === 1 && urgent.length < urgentCount) urgent.push(ask(BUSY.sender));
    await pause(EVERY_MS * (0.5 + Math.random()));
  }
  return { idle: await delaysMs(await Promise.all(idle)), urgent: await delaysMs(await Promise.all(urgent)) };
}

async function fillBusyQueue(): Promise<void> {
  // There are not as many phones. One comes again after minutes, so that it never meets the limit of messages to one person.
  const recipients = Array.from({ length: 5_000 }, () => randomPhone());
  const startedMs = performance.now();
  await fillQueue(
    pipeline,
    Array.from({ length: BACKLOG + SPARE }, (_item, index) => ({
      to: recipients[index % 5_000] ?? '',
      from: BUSY.sender,
      priority: 'bulk',
      ...template,
    })),
  );
  console.log(`fairness: ${await waiting()} bulk messages wait after ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
}

async function waiting(): Promise<number> {
  const [row] = await pipeline.db.sql<{ rows: number }[]>`
    SELECT count(*)::int AS rows FROM whatsapp_messages WHERE sender = ${BUSY.sender} AND status = 'accepted'`;
  return row?.rows ?? 0;
}

/** Pauses or resumes the busy sender, and returns when the worker has done so. */
async function switchBusy(command: 'pause' | 'resume'): Promise<void> {
  const said = () => pipeline.apps.worker?.output().split(`sender ${command}d`).length ?? 0;
  const before = said();
  await tickmark(pipeline, command, 'sender', BUSY.sender);
  await waitFor(() => said() > before, { timeoutMs: 30_000, intervalMs: 50, message: `the worker to ${command} the sender` });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function p95(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1] ?? 0;
}

it('20,000 waiting bulk messages of one sender delay neither another sender nor its own transactional messages', async () => {
  await switchBusy('pause');
  await fillBusyQueue();
  // Processes that have just started are slow, which would make the first round look bad.
  await measure(0);
  await switchBusy('resume');
  await measure(0);
  await switchBusy('pause');
  const alone: number[] = [];
  const beside: number[] = [];
  const urgent: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    alone.push(...(await measure(0)).idle);
    await switchBusy('resume');
    const measured = await measure(URGENT_PER_ROUND);
    beside.push(...measured.idle);
    urgent.push(...measured.urgent);
    await switchBusy('pause');
    const [before, after] = [p95(alone.slice(-PER_ROUND)), p95(beside.slice(-PER_ROUND))];
    ratios.push(after / before);
    console.log(`fairness: round ${round + 1}: p95 ${before} ms alone, ${after} ms beside the busy sender`);
  }
  const left = await waiting();
  // Of the rounds, not of all messages: what else disturbs the machine for a second disturbs one of them.
  const ratio = median(ratios);
  console.log(
    `fairness: ${left} bulk messages wait; p95 of ${alone.length} messages ${p95(alone)} ms alone, of ${beside.length} beside the busy sender ` +
      `${p95(beside)} ms; the median of the rounds is ${ratio.toFixed(2)} times; the slowest of ${urgent.length} transactional ones of the busy sender ${Math.max(...urgent)} ms`,
  );
  expect(left).toBeGreaterThanOrEqual(BACKLOG);
  expect(ratio).toBeLessThanOrEqual(P95_RATIO_MAX);
  expect(Math.max(...urgent)).toBeLessThanOrEqual(URGENT_MS_MAX + p95(alone));
}, 600_000);
