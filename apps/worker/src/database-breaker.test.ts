import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { insertAccepted } from '@tickmark/delivery';
import { DeadlineExceededError } from '@tickmark/runtime';
import { waitFor } from '@tickmark/testing';
import { createDatabaseBreaker } from './database-breaker.ts';
import { created } from './fixtures/scripted-twilio.ts';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import type { RunningWorker } from './start-worker.ts';

const OUTAGE = { timeoutMs: 20_000 };
const PROBE_MS = 50;

let harness: WorkerHarness;
let worker: RunningWorker;
beforeAll(async () => {
  harness = await createWorkerHarness();
  // Whatever reads regularly meets the outage too.
  worker = harness.start({ sendersRefreshMs: 200, sweepIntervalMs: 200, reconcileIntervalMs: 200 });
  await waitFor(async () => (await worker.readiness()).ready);
});
afterEach(() => harness.gates.database.open());
afterAll(() => harness.close());

const databaseError = (code: string) => Object.assign(new Error(code), { code });
const said = (words: string) => harness.log.lines().filter((line) => line['msg'] === words);
const AWAY = 'database away: no jobs are taken until it is back';
const BACK = 'database back: jobs are taken again';

it('an outage pauses every queue of the process, is two lines in the log, and costs no job an attempt', async () => {
  const messages = Array.from({ length: 30 }, () => harness.message());
  await insertAccepted(harness.db, messages);
  let outage: Promise<void> | undefined;
  harness.answerWith(async () => {
    await (outage ??= harness.gates.database.close());
    return created();
  });
  await harness.producers.addSend(messages);
  await waitFor(() => outage !== undefined);
  await harness.producers.addIntake([harness.message()], 'bulk');
  await waitFor(() => said(AWAY).length === 1, OUTAGE);
  const readiness = await worker.readiness();
  expect([readiness.ready, readiness.reasons.join()]).toEqual([false, expect.stringMatching(/^PostgreSQL does not answer/)]);
  expect(await worker.liveness()).toBe(true);

  await harness.producers.addIntake([harness.message()], 'bulk');
  await waitFor(() => said('outcome handed over: the database is away').length > 0, OUTAGE);
  const putOff = said('job put off: the database is away').filter((line) => line['queue'] === 'intake');
  expect(putOff.length).toBeLessThanOrEqual(1);
  await harness.gates.database.open();
  await waitFor(async () => (await harness.db.sql`SELECT FROM whatsapp_messages WHERE status = 'queued'`).length === 32, OUTAGE);
  expect((await worker.readiness()).ready).toBe(true);
  expect(said(BACK)).toHaveLength(1);
  // A claim that was granted late is no call, and is told as ever.
  const loud = harness.log
    .lines()
    .filter(({ level, msg }) => level !== 'debug' && level !== 'info' && !String(msg).startsWith('claim given back'));
  expect(loud).toEqual(said(AWAY));
  expect(harness.twilio.creates).toHaveLength(32);
});

/** A breaker of its own, with a worker in its care whose states are told. */
function breakerWith() {
  const states: string[] = [];
  const breaker = createDatabaseBreaker(harness.deps, PROBE_MS);
  const workerNamed = (name: string) => ({
    pause: (reason: string) => void states.push(`${name} paused: ${reason}`),
    resume: (reason: string) => void states.push(`${name} resumed: ${reason}`),
  });
  const fail = (thrown: Error) => expect(breaker.watch(() => Promise.reject(thrown))).rejects.toBe(thrown);
  return { breaker, states, workerNamed, fail };
}

it('a worker that starts during an outage is paused at once, and all go on together', async () => {
  const { breaker, states, workerNamed, fail } = breakerWith();
  breaker.care(workerNamed('first'));
  await harness.gates.database.close();
  await fail(databaseError('ECONNREFUSED'));
  await waitFor(() => breaker.reason() !== null);
  breaker.care(workerNamed('second'));
  expect(states).toEqual(['first paused: database', 'second paused: database']);
  await harness.gates.database.open();
  await waitFor(() => breaker.reason() === null);
  await waitFor(() => states.length === 4);
  expect(states.slice(2)).toEqual(['first resumed: database', 'second resumed: database']);
  await breaker.close();
});

it('a database that takes what it is asked and says nothing counts as away', async () => {
  const { breaker, states, workerNamed, fail } = breakerWith();
  breaker.care(workerNamed('first'));
  harness.gates.database.stall();
  await fail(new DeadlineExceededError('a statement', 10_000));
  await waitFor(() => breaker.reason()?.includes('silent for 3 s'));
  await harness.gates.database.open();
  await waitFor(() => states.length === 2);
  await breaker.close();
});

it.each([
  ['a deadlock', '40P01'],
  ['a single broken connection', 'CONNECTION_CLOSED'],
  ['a mistake of our own', '42P01'],
])('%s of a database that answers pauses nothing', async (_name, code) => {
  const { breaker, states, workerNamed, fail } = breakerWith();
  breaker.care(workerNamed('first'));
  await fail(databaseError(code));
  expect(await breaker.explains(databaseError(code))).toBe(false);
  await breaker.close();
  expect([states, breaker.reason()]).toEqual([[], null]);
});

it('what fails in an outage is told once, by the breaker, also when it fails a moment after its end', async () => {
  const { breaker } = breakerWith();
  const warnings = () => harness.log.lines().filter(({ msg }) => msg === 'sweep failed');
  const fromOutage = databaseError('CONNECTION_CLOSED');
  await harness.gates.database.close();
  await breaker.report(fromOutage, 'sweep failed');
  expect(breaker.reason()).toMatch(/^PostgreSQL does not answer/);
  await harness.gates.database.open();
  await waitFor(() => breaker.reason() === null);
  await breaker.report(fromOutage, 'sweep failed');
  expect(warnings()).toEqual([]);
  await breaker.report(databaseError('42P01'), 'sweep failed');
  expect(warnings()).toHaveLength(1);
  await breaker.close();
});
