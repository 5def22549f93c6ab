import { randomUUID } from 'node:crypto';
import type { Priority } from '@tickmark/domain';
import { acceptedMessage, inboundMessage, statusEvent, waitFor } from '@tickmark/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { sendOutcome } from './fixtures/send-outcome.ts';
import { queueRoom, SEND_QUEUE, SENDER, type QueueRoom } from './fixtures/queue-room.ts';
import { QUEUES } from './names.ts';
import { done, snooze, type Outcome } from './outcome.ts';
import { inboundPayloadSchema, intakePayloadSchema, sendOutcomePayloadSchema, statusCallbackPayloadSchema } from './payloads.ts';
import { queueKey } from './queue-set.ts';
import type { Producers } from './producers.ts';
import { createQueueWorker } from './queue-worker.ts';

let room: QueueRoom;
beforeEach(() => {
  room = queueRoom();
});
afterEach(() => room.close());

const sendJob = (priority: Priority = 'transactional', id = randomUUID()) => ({ id, sender: SENDER, priority });

function keepIds(into: string[]) {
  return ({ id }: { id: string }) => {
    into.push(id);
    return Promise.resolve(done());
  };
}

function shared(concurrency = 1) {
  return { redisUrl: room.redisUrl, base: room.base, log: room.logger.log, metrics: room.metrics, concurrency };
}

test('a batch is one job, and the same batch added again while it waits stays one', async () => {
  const producers = room.producers();
  const [first, second] = [acceptedMessage(), acceptedMessage()];
  const messages = [first, second];
  await Promise.all([producers.addIntake(messages, 'transactional'), producers.addIntake(messages, 'transactional')]);
  expect(await room.jobsIn('wait', QUEUES.intake)).toHaveLength(1);
  await producers.addIntake([{ ...first, body: 'another' }, second], 'transactional');
  expect(await room.jobsIn('wait', QUEUES.intake)).toHaveLength(2);
});

test('what the producers write is what the schemas read', async () => {
  const producers = room.producers();
  const accepted = [acceptedMessage(), acceptedMessage()];
  const events = [statusEvent(), statusEvent()];
  const inbound = [inboundMessage()];
  const outcomes = [sendOutcome('rejected'), sendOutcome('released')];
  await Promise.all([producers.addIntake(accepted, 'bulk'), producers.addStatusEvents(events), producers.addInbound(inbound)]);
  for (const outcome of outcomes) await producers.addSendOutcome(outcome);
  const read: unknown[] = [];
  const keep = (payload: unknown) => {
    read.push(payload);
    return Promise.resolve(done());
  };
  const workers = [
    createQueueWorker({ ...shared(), queue: QUEUES.intake, schema: intakePayloadSchema, processor: keep }),
    createQueueWorker({ ...shared(), queue: QUEUES.statusCallback, schema: statusCallbackPayloadSchema, processor: keep }),
    createQueueWorker({ ...shared(), queue: QUEUES.inbound, schema: inboundPayloadSchema, processor: keep }),
    createQueueWorker({ ...shared(), queue: QUEUES.sendOutcome, schema: sendOutcomePayloadSchema, processor: keep }),
  ];
  await waitFor(() => read.length === 5);
  await Promise.all(workers.map((worker) => worker.close(1000)));
  expect(read).toEqual(
    expect.arrayContaining([
      { v: 1, messages: accepted },
      { v: 1, events },
      { v: 1, messages: inbound },
      ...outcomes.map((outcome) => ({ v: 1, ...outcome })),
    ]),
  );
});

test('transactional messages go before bulk ones that came earlier, in intake and in sending', async () => {
  const producers = room.producers();
  const [campaign, password] = [acceptedMessage(), acceptedMessage({ priority: 'transactional' })];
  await producers.addIntake([campaign], 'bulk');
  await producers.addIntake([password], 'transactional');
  const intake: string[] = [];
  const worker = createQueueWorker({
    ...shared(),
    queue: QUEUES.intake,
    schema: intakePayloadSchema,
    processor: ({ messages }) => {
      intake.push(...messages.map(({ id }) => id));
      return Promise.resolve(done());
    },
  });
  await waitFor(() => intake.length === 2);
  await worker.close(1000);
  expect(intake).toEqual([password.id, campaign.id]);

  const [bulk, transactional] = [sendJob('bulk'), sendJob('transactional')];
  await producers.addSend([bulk]);
  await producers.addSend([transactional]);
  const sent: string[] = [];
  room.worker({ processor: keepIds(sent) });
  await waitFor(() => sent.length === 2);
  expect(sent).toEqual([transactional.id, bulk.id]);
});

test('a send job added again while it waits stays one, and after its end it runs again', async () => {
  const producers = room.producers();
  const job = sendJob();
  await producers.addSend([job]);
  await producers.addSend([{ ...job, priority: 'bulk', delayMs: 60_000 }]);
  expect(await room.jobsIn('wait')).toEqual([job.id]);
  expect(await room.delayed()).toEqual(new Map());
  const runs: string[] = [];
  room.worker({ processor: keepIds(runs) });
  await waitFor(async () => runs.length === 1 && !(await producers.hasSendJobs([job]))[0]);
  await producers.addSend([job]);
  await waitFor(() => runs.length === 2);
});

test('a waiting send job has the compact form of Redis, and no word about its recipient', async () => {
  const producers = room.producers();
  const jobs = [sendJob('bulk'), { ...sendJob('bulk'), delayMs: 3_600_000 }];
  await producers.addSend(jobs);
  for (const { id } of jobs) {
    const key = queueKey(room.base, SEND_QUEUE, id);
    expect(await room.redis.object('ENCODING', key)).toBe('listpack');
    expect(JSON.parse(String(await room.redis.hget(key, 'data')))).toEqual({ v: 1, id });
  }
});

test('a task added again while it waits stays one job, which holds its id alone', async () => {
  const producers = room.producers();
  const taskId = randomUUID();
  await producers.addMaintenance({ taskId });
  await producers.addMaintenance({ taskId });
  expect(await room.jobsIn('wait', QUEUES.maintenance)).toEqual([taskId]);
  expect(JSON.parse(String(await room.redis.hget(queueKey(room.base, QUEUES.maintenance, taskId), 'data')))).toEqual({ v: 1, taskId });
});

test('a send job with a delay waits until then', async () => {
  const producers = room.producers();
  const job = sendJob('bulk');
  const addedMs = Date.now();
  await producers.addSend([{ ...job, delayMs: 60_000 }]);
  const dueMs = (await room.delayed()).get(job.id) ?? 0;
  expect(dueMs - addedMs).toBeGreaterThanOrEqual(60_000);
  expect(dueMs - addedMs).toBeLessThan(62_000);
});

test('more send jobs than fit into one round are all added, and found, in order', async () => {
  const producers = room.producers();
  const jobs = Array.from({ length: 1_201 }, () => sendJob('bulk'));
  await producers.addSend(jobs.filter((_job, index) => index % 3 !== 0));
  expect(await producers.hasSendJobs(jobs)).toEqual(jobs.map((_job, index) => index % 3 !== 0));
  expect(await producers.hasSendJobs([])).toEqual([]);
});

test('the idempotency mark tells the hash of the first request of an id, for a day', async () => {
  const producers = room.producers();
  const id = randomUUID();
  const mark = async (requestHash: string) => (await producers.markIdempotent([{ id, producer: 'shop', requestHash }]))[0];
  expect(await mark('first')).toBeNull();
  expect(await mark('first')).toBe('first');
  expect(await mark('other')).toBe('first');
  expect(await mark('third')).toBe('first');
  const seconds = await room.redis.ttl(`${room.base}:idempotency:shop:${id}`);
  expect(seconds).toBeGreaterThan(86_300);
  expect(seconds).toBeLessThanOrEqual(86_400);
});

test('the idempotency mark of one producer is not told to another one that names the same id', async () => {
  const producers = room.producers();
  const id = randomUUID();
  const of = (producer: string, requestHash: string) => ({ id, producer, requestHash });
  expect(await producers.markIdempotent([of('shop', 'a'), of('mail', 'b'), of('shop', 'c')])).toEqual([null, null, 'a']);
  expect(await producers.markIdempotent([of('mail', 'd'), of('shop', 'd')])).toEqual(['b', 'a']);
});

test('the age of intake is that of the oldest job that waits, put off or with a priority alike, and not of a running one', async () => {
  const producers = room.producers();
  expect(await producers.oldestIntakeAgeMs()).toBe(0);
  await producers.addIntake([acceptedMessage()], 'bulk');
  await producers.addIntake([acceptedMessage()], 'transactional');
  const [bulkId] = await room.redis.zrange(queueKey(room.base, QUEUES.intake, 'prioritized'), '0', '0');
  await room.redis.hset(queueKey(room.base, QUEUES.intake, bulkId ?? ''), 'timestamp', Date.now() - 40_000);
  expect(await producers.oldestIntakeAgeMs()).toBeGreaterThanOrEqual(40_000);

  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  let running = 0;
  const processor = async () => {
    running += 1;
    await held;
    return done();
  };
  const worker = createQueueWorker({ ...shared(2), queue: QUEUES.intake, schema: intakePayloadSchema, processor });
  await waitFor(() => running === 2);
  expect(await producers.oldestIntakeAgeMs()).toBe(0);
  release();
  await worker.close(1000);
});

test('whether something that was added to intake before a time is left there is told of waiting, running and delayed jobs', async () => {
  const producers = room.producers();
  const before = new Date(Date.now() - 60_000);
  const after = new Date(Date.now() + 60_000);
  const looks = async () => [await producers.hasIntakeBefore(before), await producers.hasIntakeBefore(after)];
  expect(await looks()).toEqual([false, false]);
  let outcome: Outcome;
  let release = () => {};
  let running = 0;
  const processor = async () => {
    running += 1;
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    return outcome;
  };
  const consume = () => createQueueWorker({ ...shared(), queue: QUEUES.intake, schema: intakePayloadSchema, processor });

  for (const priority of ['bulk', 'transactional'] as const) {
    running = 0;
    outcome = done();
    await producers.addIntake([acceptedMessage()], priority);
    expect(await looks()).toEqual([false, true]);
    const worker = consume();
    await waitFor(() => running === 1);
    expect(await looks()).toEqual([false, true]);
    release();
    await worker.close(1_000);
    expect(await looks()).toEqual([false, false]);
  }

  running = 0;
  outcome = snooze(Date.now() + 60_000);
  await producers.addIntake([acceptedMessage()], 'bulk');
  const worker = consume();
  await waitFor(() => running === 1);
  release();
  await worker.close(1_000);
  expect(await looks()).toEqual([true, true]);
});

test.each([
  ['a batch of callbacks', QUEUES.statusCallback, (producers: Producers) => producers.addStatusEvents([statusEvent()])],
  [
    'an outcome that could not be recorded',
    QUEUES.sendOutcome,
    (producers: Producers) => producers.addSendOutcome(sendOutcome('rejected')),
  ],
])('the age of evidence is that of %s, when it is the oldest', async (_name, queue, add) => {
  const producers = room.producers();
  expect(await producers.oldestEvidenceAgeMs()).toBe(0);
  await add(producers);
  const [id] = await room.redis.lrange(queueKey(room.base, queue, 'wait'), 0, 0);
  await room.redis.hset(queueKey(room.base, queue, id ?? ''), 'timestamp', Date.now() - 70_000);
  expect(await producers.oldestEvidenceAgeMs()).toBeGreaterThanOrEqual(70_000);
});

test('a batch that is larger than any batch of ours is refused before it reaches Redis', async () => {
  const body = 'x'.repeat(600 * 1024);
  await expect(room.producers().addIntake([acceptedMessage({ body })], 'bulk')).rejects.toThrow(RangeError);
  expect(await room.keys()).toEqual([]);
});

test('finished jobs leave no key that holds anything of their payload', async () => {
  const producers = room.producers();
  const message = acceptedMessage();
  await producers.addIntake([message], 'bulk');
  let runs = 0;
  const worker = createQueueWorker({
    ...shared(),
    queue: QUEUES.intake,
    schema: intakePayloadSchema,
    processor: () => Promise.resolve(++runs === 1 ? { kind: 'retry', afterMs: 1 } : { kind: 'cancel', reason: 'a test' }),
  });
  await waitFor(async () => runs === 2 && (await room.jobsIn('active', QUEUES.intake)).length === 0);
  await worker.close(1000);
  const keys = await room.keys();
  expect(keys.length).toBeGreaterThan(2);
  const dumps = await Promise.all(keys.map((key) => room.redis.dumpBuffer(key)));
  for (const secret of [String(message.body), message.recipient.slice(-10), message.senderAddress.slice(-10)]) {
    expect(dumps.some((dump) => dump?.includes(secret))).toBe(false);
  }
});

test('all keys of a queue begin with its hash tag', async () => {
  const producers = room.producers();
  await producers.addSend([sendJob('bulk'), sendJob(), { ...sendJob(), delayMs: 60_000 }]);
  room.worker({ processor: () => Promise.resolve(done()) });
  await waitFor(async () => (await room.jobsIn('wait')).length === 0);
  const keys = await room.keys();
  expect(keys.length).toBeGreaterThan(4);
  for (const key of keys) expect(key.startsWith(`{${room.base}:${SEND_QUEUE}}:`)).toBe(true);
});

test('the server is checked over the producers own connection', async () => {
  expect(await room.producers().check()).toEqual({ ok: true, warnings: [] });
  expect(await room.producers().ping()).toBeGreaterThan(0);
});
