// The promise: a callback that was answered 2xx is in the log, once, whatever dies; and Twilio is answered 2xx whatever is away.
import { setTimeout as pause } from 'node:timers/promises';
import { newMessageId } from '@tickmark/domain';
import { randomPhone, randomSid, spawnProcess, waitFor, type SpawnedProcess } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { statusCallbackParams } from '../apps/simulator/src/callback-params.ts';
import { SENDER, type SentMessage } from '../bench/rows/callbacks/make-callbacks.ts';
import { seedMessages } from '../bench/rows/callbacks/seed-messages.ts';
import { chooseSeed, fullOrReduced, seededRandom } from './support/counts.ts';
import { startOwnServer, type OwnServer } from './support/own-server.ts';
import { startPipeline, type Pipeline } from './support/pipeline.ts';
import { startCallbackLoad, type Answered, type CallbackLoad, type SentCallback } from './support/send-callbacks.ts';

const MESSAGES = fullOrReduced(12_500, 2_500);
const STATUSES = ['queued', 'sent', 'delivered', 'read'] as const;
const DUPLICATED = 0.1;
const WORKER_KILLS = 5;
const REDIS_FROZEN_MS = 10_000;

/** Of the callbacks of a phase that are left, this share goes in each second while its fault lasts; the rest after it. */
const SHARE_PER_SECOND = 0.15;
const AFTERWARDS_PER_SECOND = 1_000;

const seed = chooseSeed();
const random = seededRandom(seed);

interface Planned extends SentCallback {
  messageSid: string;
  status: (typeof STATUSES)[number];
}

let postgres: OwnServer;
let redis: OwnServer;
let pipeline: Pipeline;
let ingress: SpawnedProcess;
let load: CallbackLoad;
let planned: Planned[];
beforeAll(async () => {
  [postgres, redis] = await Promise.all([startOwnServer('postgres'), startOwnServer('redis')]);
  const sent = Array.from({ length: MESSAGES }, () => ({ id: newMessageId(), sid: randomSid(), recipient: `whatsapp:${randomPhone()}` }));
  await seedMessages(postgres.url, sent);
  pipeline = await startPipeline({ apps: [], env: { DATABASE_URL: postgres.url, REDIS_URL: redis.url } });
  planned = planCallbacks(sent);
  ingress = await startIngress({ FAILPOINTS: 'spool-before-delete' });
  load = startCallbackLoad({
    callbacks: planned.map(({ path, params }) => ({ path, params })),
    publicBaseUrl: pipeline.env['PUBLIC_BASE_URL'] ?? '',
    targetUrl: pipeline.urls.ingress,
    token: pipeline.env['TWILIO_AUTH_TOKEN'] ?? '',
  });
}, 300_000);
afterAll(async () => {
  await load.stop();
  await ingress.kill();
  await pipeline.stop();
  await Promise.all([postgres.stop(), redis.stop()]);
}, 300_000);

function planCallbacks(sent: readonly SentMessage[]): Planned[] {
  const once = sent.flatMap(({ id, sid, recipient: to }) => {
    const message = { sid, to, from: SENDER, template: true, messagingServiceSid: null };
    return STATUSES.map((status) => ({
      messageSid: sid,
      status,
      path: `/webhooks/twilio/status?m=${id}&a=1`,
      params: statusCallbackParams(message, status, null, pipeline.secrets.accountSid),
    }));
  });
  return random.shuffled([...once, ...once.filter(() => random.next() < DUPLICATED)]);
}

async function startIngress(env: Record<string, string> = {}): Promise<SpawnedProcess> {
  const metricsPort = new URL(pipeline.internal.ingress).port;
  const started = spawnProcess({ entry: 'apps/ingress/src/main.ts', env: { ...pipeline.env, ...env, METRICS_PORT: metricsPort } });
  await started.waitForReady(`${pipeline.internal.ingress}/health/ready`, { timeoutMs: 90_000 });
  return started;
}

/** The value of a metric of the ingress, of all its labels that contain the text together. */
async function metric(name: string, labels = ''): Promise<number> {
  const text = await (await fetch(`${pipeline.internal.ingress}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(name) && line.includes(labels));
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

const spooledSoFar = () => metric('tickmark_callbacks_received_total', 'spooled');
const spoolIsEmpty = () =>
  waitFor(async () => (await metric('tickmark_spooled_events')) === 0, { timeoutMs: 60_000, message: 'the spool' });

const failpointReached = (app: SpawnedProcess, failpoint: string) =>
  app.waitForMessage((message) => (message as { failpoint?: string }).failpoint === failpoint, { timeoutMs: 120_000 });

/** One after the other, each alone with what waits, so that it reaches the line; then one that lives. */
async function killWorkers(): Promise<void> {
  for (let kill = 0; kill < WORKER_KILLS; kill++) {
    const atFailpoint = kill % 2 === 0;
    const worker = await pipeline.startWorker(atFailpoint ? { FAILPOINTS: `status-after-log:${random.between(1, 3)}` } : {});
    await (atFailpoint ? failpointReached(worker, 'status-after-log') : pause(random.between(0, 1_500)));
    await worker.kill('SIGKILL');
  }
  await pipeline.startWorker();
}

async function restartIngress(): Promise<void> {
  await ingress.kill('SIGKILL');
  ingress = await startIngress();
}

interface Phase {
  name: string;
  /** Of all callbacks. */
  share: number;
  /** Ends when everything is there again. */
  fault: () => Promise<unknown>;
  /** The ingress itself is away for a while. */
  endsIngress?: boolean;
}

const PHASES: readonly Phase[] = [
  { name: 'worker kill -9 ×5', share: 0.2, fault: killWorkers },
  {
    name: 'redis kill -9, then restart',
    share: 0.25,
    fault: async () => {
      await pause(1_000);
      await redis.kill();
      await pause(3_000);
      await redis.start();
      await failpointReached(ingress, 'spool-before-delete');
    },
  },
  { name: 'ingress kill -9 at spool-before-delete, then restart', share: 0.05, fault: restartIngress, endsIngress: true },
  {
    name: 'redis SIGSTOP 10 s',
    share: 0.25,
    fault: async () => {
      redis.freeze();
      await pause(REDIS_FROZEN_MS);
      redis.thaw();
      await spoolIsEmpty();
    },
  },
  {
    name: 'postgres restart',
    share: 0.2,
    fault: async () => {
      await postgres.stop();
      await pause(2_000);
      await postgres.start();
    },
  },
  {
    name: 'ingress kill -9 while it spools, then restart',
    share: 0.05,
    fault: async () => {
      await redis.kill();
      await waitFor(async () => (await metric('tickmark_spooled_events')) > 10, { timeoutMs: 60_000 });
      await restartIngress();
      await redis.start();
      await spoolIsEmpty();
    },
    endsIngress: true,
  },
];

interface PhaseAnswers {
  /** Of what was sent before everything was there again, and after. */
  during: Answered[];
  after: Answered[];
}

/** Sends the phase's share of the callbacks, while its fault lasts and after it. */
async function run({ name, fault }: Phase, count: number): Promise<PhaseAnswers> {
  const during: Answered[] = [];
  const ended = new AbortController();
  const ending = fault().finally(() => ended.abort());
  // It may fail while callbacks are sent; it is told below.
  ending.catch(() => undefined);
  while (during.length < count && !ended.signal.aborted) {
    const part = Math.ceil((count - during.length) * SHARE_PER_SECOND);
    during.push(...(await load.send({ label: `${name}, from ${during.length}`, count: part, perSecond: part })));
  }
  await ending;
  const left = count - during.length;
  const after = left > 0 ? await load.send({ label: `${name}, after`, count: left, perSecond: AFTERWARDS_PER_SECOND }) : [];
  return { during, after };
}

interface Summary {
  name: string;
  sent: number;
  /** The share of those that were sent before everything was there again that was answered 2xx. */
  confirmedDuring: number;
  confirmed: number;
  refused: number;
  unanswered: number;
  p99Ms: number;
}

const isConfirmed = ({ status }: Answered) => status !== null && status < 300;

function summarize(name: string, { during, after }: PhaseAnswers): Summary {
  const answers = [...during, ...after];
  const times = answers.map(({ ms }) => ms).toSorted((a, b) => a - b);
  return {
    name,
    sent: answers.length,
    confirmedDuring: during.filter(isConfirmed).length / during.length,
    confirmed: answers.filter(isConfirmed).length,
    refused: answers.filter((answer) => answer.status !== null && !isConfirmed(answer)).length,
    unanswered: answers.filter(({ status }) => status === null).length,
    p99Ms: times[Math.floor(times.length * 0.99)] ?? 0,
  };
}

const keyOf = ({ messageSid, status }: { messageSid: string; status: string }) => `${messageSid} ${status}`;

/** @returns what was answered 2xx, by its key */
async function sendThroughFaults() {
  const confirmed = new Set<string>();
  const summaries: Summary[] = [];
  const keys = planned.map(keyOf);
  let spooled = 0;
  let done = 0;
  for (const phase of PHASES) {
    const count = phase === PHASES.at(-1) ? planned.length - done : Math.floor(planned.length * phase.share);
    done += count;
    const spooledBefore = await spooledSoFar();
    const answers = await run(phase, count);
    if (!phase.endsIngress) spooled += (await spooledSoFar()) - spooledBefore;
    for (const answer of [...answers.during, ...answers.after]) if (isConfirmed(answer)) confirmed.add(keys[answer.index] ?? '');
    const summary = summarize(phase.name, answers);
    summaries.push(summary);
    console.log(`callbacks: ${JSON.stringify(summary)}`);
  }
  return { confirmed, summaries, spooled };
}

/** How often each is in the log, once all of them are. */
async function logged(keys: ReadonlySet<string>): Promise<Map<string, number>> {
  const read = () => pipeline.db.sql<{ messageSid: string; status: string; count: number }[]>`
    SELECT message_sid AS "messageSid", status, count(*)::int AS count FROM message_status_logs GROUP BY 1, 2`;
  return waitFor(
    async () => {
      const found = new Map((await read()).map((row) => [keyOf(row), row.count]));
      return [...keys].every((key) => found.has(key)) && found;
    },
    { timeoutMs: 120_000, intervalMs: 1_000, message: 'what was confirmed to be in the log' },
  );
}

it('every callback that was answered 2xx is in the log exactly once, whatever dies', async () => {
  console.log(`callbacks: ${planned.length} for ${MESSAGES} messages, seed ${seed}`);
  const { confirmed, summaries, spooled } = await sendThroughFaults();
  const counts = await logged(confirmed);
  const twice = [...counts].filter(([, count]) => count !== 1);
  console.log(`callbacks: ${confirmed.size} confirmed, ${counts.size} in the log, ${twice.length} twice, ${spooled} spooled`);
  expect(twice).toEqual([]);
  const sentKeys = new Set(planned.map(keyOf));
  expect([...counts.keys()].filter((key) => !sentKeys.has(key))).toEqual([]);
  expect(await unlikeTheirLog()).toBe(0);
  // What is applied twice could leave rows of unknown origin, or be given up.
  expect(await countRows()).toEqual({ messages: MESSAGES, deadLetters: 0 });
  expect(spooled).toBeGreaterThan(0);
  // Also while the ingress starts anew: it answers 2xx, or it is not there.
  expect(summaries.filter(({ refused }) => refused > 0)).toEqual([]);
  const tooFew = summaries.filter(({ confirmedDuring }, index) => !PHASES[index]?.endsIngress && confirmedDuring < 0.99);
  expect(tooFew).toEqual([]);
}, 900_000);

async function countRows() {
  const [row] = await pipeline.db.sql<{ messages: number; deadLetters: number }[]>`
    SELECT (SELECT count(*)::int FROM whatsapp_messages) AS messages, (SELECT count(*)::int FROM dead_letters) AS "deadLetters"`;
  return row;
}

/** Rows whose status is not the furthest that their log knows. */
async function unlikeTheirLog(): Promise<number> {
  const [row] = await pipeline.db.sql<{ count: number }[]>`
    WITH furthest AS (
      SELECT message_sid, max(array_position(${[...STATUSES]}::text[], status)) AS position FROM message_status_logs GROUP BY 1)
    SELECT count(*)::int AS count FROM furthest f JOIN whatsapp_messages m USING (message_sid)
    WHERE m.status <> (${[...STATUSES]}::text[])[f.position]`;
  return row?.count ?? -1;
}
