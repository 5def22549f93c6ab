// The promise: a worker that stood still between its claim and its call does not call, whatever became of the message meanwhile.
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { endStop, openStop, resendUnknown } from '@tickmark/delivery';
import { randomPhone, waitFor, type SpawnedProcess } from '@tickmark/testing';
import { postUntilAccepted } from './support/messages.ts';
import { startPipeline, type Ledger, type Pipeline } from './support/pipeline.ts';
import { judgeWhenQuiet, untilNothingWaits } from './support/settle-messages.ts';

/** Beyond the 5 s that may pass from asking for a claim to the call. By the database's clock it is made minutes. */
const STOPPED_MS = 6_000;
const STOPPED_MINUTES = 6;

const SENDER_STOP = { scope: 'sender', target: 'support', source: 'operator', actor: 'ann' } as const;

const ENV = {
  SIMULATOR_SETTINGS: JSON.stringify({ statusDelayMs: { sending: 10, sent: 50, delivered: 50, read: 50 } }),
  // The shortest that there are, so that the job runs again elsewhere while its worker stands still.
  QUEUE_LOCK_MS: '1000',
  QUEUE_STALLED_MS: '500',
};

let pipeline: Pipeline;
beforeAll(async () => {
  pipeline = await startPipeline({ apps: ['ingress', 'simulator'], env: ENV });
}, 300_000);
afterAll(() => pipeline.stop(), 300_000);

const workers: SpawnedProcess[] = [];
afterEach(async () => {
  for (const worker of workers.splice(0)) {
    worker.signal('SIGCONT');
    await worker.kill();
  }
}, 300_000);

async function startWorker(): Promise<SpawnedProcess> {
  const worker = await pipeline.startWorker();
  workers.push(worker);
  return worker;
}

async function statusOf(id: string): Promise<string | undefined> {
  const [row] = await pipeline.db.sql<{ status: string }[]>`SELECT status FROM whatsapp_messages WHERE id = ${id}`;
  return row?.status;
}

async function callsOf(id: string): Promise<Ledger['creates']> {
  return (await pipeline.ledger()).creates.filter(({ m }) => m === id);
}

/** What the workers are doing in the database. */
async function lookAtWorkers(): Promise<{ active: number; waiting: number; underLock: number }> {
  const [seen] = await pipeline.db.sql<[{ active: number; waiting: number; underLock: number }]>`
    SELECT count(*) FILTER (WHERE state = 'active')::int AS active, count(*) FILTER (WHERE wait_event_type = 'Lock')::int AS waiting,
      count(*) FILTER (WHERE state = 'idle in transaction')::int AS "underLock"
    FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'tickmark-worker'`;
  return seen;
}

/** A claim waits, and no sweep is under way: it would keep the other workers from sweeping for as long as its process stands still. */
async function onlyClaimWaits(): Promise<boolean> {
  const { waiting, underLock } = await lookAtWorkers();
  return waiting > 0 && underLock === 0;
}

/**
 * Accepts a message and stops the worker when it has asked for the claim and was not answered: the row is locked until then, and the claim
 * is granted to a process that stands still. The other worker does until then, so that it is not the one that claims.
 */
async function stopAfterClaim(worker: SpawnedProcess, other: SpawnedProcess): Promise<string> {
  await openStop(pipeline.db, { ...SENDER_STOP, forMs: null });
  await waitFor(() => worker.output().split('sender paused').length === 2, { message: 'the sender to be paused' });
  const request = { to: randomPhone(), from: 'support', contentSid: `HX${'1'.repeat(32)}`, contentVariables: { 1: 'Ada' } };
  const id = await postUntilAccepted(pipeline, { key: `stopped-${worker.pid}`, request });
  await waitFor(async () => (await statusOf(id)) === 'accepted', { message: 'the row' });
  const isOutOfTheWay = async () => {
    other.signal('SIGSTOP');
    if ((await lookAtWorkers()).underLock === 0) return true;
    other.signal('SIGCONT');
    return false;
  };
  await waitFor(isOutOfTheWay, { timeoutMs: 30_000, message: 'the other worker to be stopped outside of a sweep' });
  const claims = async () => {
    await pipeline.db.sql.begin(async (tx) => {
      await tx`SELECT FROM whatsapp_messages WHERE id = ${id} FOR UPDATE`;
      await endStop(pipeline.db, SENDER_STOP);
      await waitFor(onlyClaimWaits, { timeoutMs: 30_000, intervalMs: 10, message: 'the claim' });
      worker.signal('SIGSTOP');
    });
    await waitFor(async () => (await lookAtWorkers()).active === 0, { message: 'the end of the claim' });
    if ((await statusOf(id)) === 'sending') return true;
    // It had waited for two seconds, and gave up just before.
    worker.signal('SIGCONT');
    return false;
  };
  await waitFor(claims, { timeoutMs: 60_000, message: 'a claim that was granted to the stopped worker' });
  other.signal('SIGCONT');
  return id;
}

it.each([
  ['was judged unknown', false],
  ['was judged unknown, resent by an operator and sent by another worker', true],
])(
  'a worker that stood still for minutes after its claim does not call for a message that %s meanwhile',
  async (_name, resent) => {
    const [stopped, other] = await Promise.all([startWorker(), startWorker()]);
    const id = await stopAfterClaim(stopped, other);
    const stoppedMs = performance.now();
    await pipeline.db.sql`
      UPDATE whatsapp_messages SET claimed_at = claimed_at - ${STOPPED_MINUTES} * interval '1 minute' WHERE id = ${id}`;
    await waitFor(async () => (await statusOf(id)) === 'unknown', { timeoutMs: 30_000, message: 'the other worker to see the old claim' });
    if (resent) {
      await proveAbsence(id);
      expect(await resendUnknown(pipeline.db, { id, attempt: 1, by: { actor: 'ann', reason: 'it never arrived' } })).not.toBeNull();
      await waitFor(async () => (await callsOf(id)).length > 0, { timeoutMs: 30_000, message: 'the other worker to send it' });
    } else {
      expect(await callsOf(id)).toEqual([]);
    }

    await waitFor(() => performance.now() - stoppedMs > STOPPED_MS);
    stopped.signal('SIGCONT');
    const stoodMs = Math.round(performance.now() - stoppedMs);
    const letGo = () =>
      stopped
        .output()
        .split('\n')
        .some((line) => line.includes(id) && /claim (given|handed) back/.test(line));
    const calledAfterAll = async () => (await callsOf(id)).some(({ a }) => a === 1);
    await waitFor(async () => letGo() || (await calledAfterAll()), { timeoutMs: 30_000, message: 'the stopped worker to go on' });
    await untilNothingWaits(pipeline, [id], 60_000);
    const { twice, lost, disagreeing } = await judgeWhenQuiet(pipeline, [id]);
    const calls = await callsOf(id);
    console.log(`stopped worker: stood still for ${stoodMs} ms, calls of attempts ${calls.map(({ a }) => a).join()}`);
    expect(calls.map(({ a }) => a)).toEqual([2]);
    expect({ twice, lost, disagreeing }).toEqual({ twice: [], lost: [], disagreeing: [] });
  },
  300_000,
);

/** What two looks at Twilio's list would leave. */
async function proveAbsence(id: string): Promise<void> {
  await pipeline.db.sql`
    INSERT INTO outcome_searches (message_id, attempt, looks, absences) VALUES (${id}, 1, 2, 2)
    ON CONFLICT (message_id, attempt) DO UPDATE SET looks = 2, absences = 2`;
}
