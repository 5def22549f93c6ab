import { randomUUID } from 'node:crypto';
import { inspect } from 'node:util';
import { acceptedMessage, inboundMessage, type Services, startServices, statusEvent, waitFor } from '@tickmark/testing';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { QueueTimeoutError, QueueUnavailableError } from './errors.ts';
import { queueRoom, SENDER, type QueueRoom } from './fixtures/queue-room.ts';
import { redisGate, type RedisGate } from './fixtures/redis-gate.ts';
import type { Producers } from './producers.ts';

const DEADLINE_MS = 600;
/** What a busy machine may add to a deadline. */
const SLACK_MS = 1500;

/** A Redis of this file's own, to pause and to fill without disturbing others. */
let services: Services;
let admin: Redis;
let room: QueueRoom;
let gate: RedisGate;

beforeAll(async () => {
  services = await startServices({ postgres: false });
  admin = new Redis(services.redisUrl);
});
afterAll(async () => {
  admin.disconnect();
  await services.stop();
});
beforeEach(async () => {
  room = queueRoom({ redisUrl: services.redisUrl });
  gate = await redisGate(services.redisUrl);
});
afterEach(async () => {
  await room.close();
  await gate.shut();
});

const sendJob = (id = randomUUID()) => ({ id, sender: SENDER, priority: 'transactional' as const });

async function failureOf(call: Promise<unknown>): Promise<{ error: unknown; afterMs: number }> {
  const startMs = performance.now();
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return { error, afterMs: performance.now() - startMs };
}

const CALLS: [string, (producers: Producers) => Promise<unknown>][] = [
  ['addIntake', (producers) => producers.addIntake([acceptedMessage()], 'bulk')],
  ['addStatusEvents', (producers) => producers.addStatusEvents([statusEvent()])],
  ['addInbound', (producers) => producers.addInbound([inboundMessage()])],
  ['addSend', (producers) => producers.addSend([sendJob()])],
  ['hasSendJobs', (producers) => producers.hasSendJobs([sendJob()])],
  ['markIdempotent', (producers) => producers.markIdempotent([acceptedMessage()])],
  ['requestCancel', (producers) => producers.requestCancel({ id: randomUUID(), producer: 'shop' }, 1_000)],
  ['answerCancel', (producers) => producers.answerCancel(randomUUID(), 'canceled')],
  ['hasIntakeBefore', (producers) => producers.hasIntakeBefore(new Date())],
  ['oldestIntakeAgeMs', (producers) => producers.oldestIntakeAgeMs()],
  ['memoryShare', (producers) => producers.memoryShare()],
  ['ping', (producers) => producers.ping()],
];

test.each(CALLS)('%s fails within its deadline while Redis is absent, and works when it comes', async (_name, call) => {
  const producers = room.producers({ redisUrl: gate.url, deadlineMs: DEADLINE_MS });
  const { error, afterMs } = await failureOf(call(producers));
  expect(error).toBeInstanceOf(QueueUnavailableError);
  expect(afterMs).toBeLessThan(DEADLINE_MS + SLACK_MS);
  await gate.open();
  await waitFor(() => call(producers).then(() => true));
});

test('the first call of a process waits for the first connection', async () => {
  await gate.open();
  const job = sendJob();
  await room.producers({ redisUrl: gate.url, deadlineMs: DEADLINE_MS }).addSend([job]);
  expect(await room.jobsIn('wait')).toEqual([job.id]);
});

test('during an outage a call fails at once, not at its deadline', async () => {
  await gate.open();
  const producers = room.producers({ redisUrl: gate.url, deadlineMs: 5_000 });
  await producers.ping();
  await gate.shut();
  await waitFor(async () => (await failureOf(producers.ping())).error instanceof QueueUnavailableError);
  const { error, afterMs } = await failureOf(producers.addSend([sendJob()]));
  expect(error).toBeInstanceOf(QueueUnavailableError);
  expect(afterMs).toBeLessThan(SLACK_MS);
  await gate.open();
  await waitFor(() => producers.addSend([sendJob()]).then(() => true));
});

test('an add whose answer is lost says that it may still land, and it has', async () => {
  await gate.open();
  const producers = room.producers({ redisUrl: gate.url, deadlineMs: DEADLINE_MS });
  await producers.ping();
  gate.disturb('no-answers');
  const job = sendJob();
  const { error, afterMs } = await failureOf(producers.addSend([job]));
  expect(error).toBeInstanceOf(QueueTimeoutError);
  expect(error).toMatchObject({ message: `redis did not answer within ${DEADLINE_MS} ms` });
  expect(afterMs).toBeLessThan(DEADLINE_MS + SLACK_MS);
  await waitFor(async () => (await room.jobsIn('wait')).includes(job.id));
});

test('an add whose connection is cut after it was written does not claim that nothing was added', async () => {
  await gate.open();
  const producers = room.producers({ redisUrl: gate.url, deadlineMs: DEADLINE_MS });
  await producers.ping();
  gate.disturb('frozen');
  const failing = failureOf(producers.addSend([sendJob()]));
  await gate.shut();
  expect((await failing).error).toBeInstanceOf(QueueTimeoutError);
});

test('a question whose connection is cut is not answered with "no"', async () => {
  await gate.open();
  const producers = room.producers({ redisUrl: gate.url, deadlineMs: 5_000 });
  await producers.ping();
  gate.disturb('frozen');
  const asking = Promise.allSettled([producers.hasSendJobs([sendJob()]), producers.oldestIntakeAgeMs()]);
  await gate.shut();
  expect((await asking).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
});

test('a connection that answers nothing is replaced without a restart', async () => {
  await gate.open();
  const producers = room.producers({ redisUrl: gate.url, deadlineMs: DEADLINE_MS });
  await producers.ping();
  gate.disturb('frozen');
  expect((await failureOf(producers.ping())).error).toBeInstanceOf(QueueTimeoutError);
  await waitFor(() => producers.addSend([sendJob()]).then(() => true), { timeoutMs: 15_000 });
});

test('an add waits for a Redis that pauses for less than the deadline, and may land after a longer pause', async () => {
  const producers = room.producers({ deadlineMs: DEADLINE_MS });
  await producers.ping();
  await admin.call('CLIENT', 'PAUSE', '200', 'WRITE');
  const [patient, late] = [sendJob(), sendJob()];
  await producers.addSend([patient]);
  expect(await room.jobsIn('wait')).toEqual([patient.id]);

  await admin.call('CLIENT', 'PAUSE', String(DEADLINE_MS * 2), 'WRITE');
  const { error, afterMs } = await failureOf(producers.addSend([late]));
  expect(error).toBeInstanceOf(QueueTimeoutError);
  expect(afterMs).toBeLessThan(DEADLINE_MS + SLACK_MS);
  await waitFor(async () => (await room.jobsIn('wait')).includes(late.id));
});

test('a Redis without memory refuses: certainly not added, and the error repeats nothing of the payload', async () => {
  const producers = room.producers();
  const message = acceptedMessage();
  await admin.config('SET', 'maxmemory', '1');
  try {
    const { error } = await failureOf(producers.addIntake([message], 'bulk'));
    expect(error).toBeInstanceOf(QueueUnavailableError);
    expect(inspect(error, { depth: 9 })).not.toContain(message.body);
  } finally {
    await admin.config('SET', 'maxmemory', '0');
  }
  expect(await room.jobsIn('wait', 'intake')).toEqual([]);
  await producers.addIntake([message], 'bulk');
});

test('closing ends in time, with Redis, without it and before it ever came, and then nothing is added', async () => {
  const absent = room.producers({ redisUrl: gate.url });
  const lost = room.producers();
  await lost.ping();
  for (const producers of [absent, lost]) {
    const startMs = performance.now();
    await producers.close();
    await producers.close();
    expect(performance.now() - startMs).toBeLessThan(SLACK_MS);
    expect((await failureOf(producers.addSend([sendJob()]))).error).toBeInstanceOf(QueueUnavailableError);
  }
});

test('an outage costs a few log lines, not one per attempt', async () => {
  const producers = room.producers({ redisUrl: gate.url, deadlineMs: DEADLINE_MS });
  await waitFor(async () => (await failureOf(producers.ping())).error);
  await waitFor(() => room.logger.lines().length > 0);
  const calls = await Promise.all(Array.from({ length: 200 }, () => failureOf(producers.ping())));
  expect(calls.every(({ error }) => error instanceof QueueUnavailableError)).toBe(true);
  expect(room.logger.lines().length).toBeLessThan(3);
});
