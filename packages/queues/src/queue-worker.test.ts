import { randomUUID } from 'node:crypto';
import { randomBody, spawnProcess, startServices, waitFor, type SpawnedProcess } from '@tickmark/testing';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { z } from 'zod';
import type { ClosingMessage } from './fixtures/closing-worker.ts';
import type { RunningMessage } from './fixtures/killed-worker.ts';
import { queueRoom, SEND_QUEUE, SENDER, type QueueRoom } from './fixtures/queue-room.ts';
import { redisGate, type RedisGate } from './fixtures/redis-gate.ts';
import { cancel, done, retry, snooze, type Outcome } from './outcome.ts';
import { openQueue, queueKey } from './queue-set.ts';
import { queuePrefix } from './names.ts';

const LOCKS = { lockMs: 600, stalledMs: 300 };

let room: QueueRoom;
let gate: RedisGate;
let children: SpawnedProcess[];
beforeEach(async () => {
  children = [];
  room = queueRoom();
  gate = await redisGate(room.redisUrl);
});
afterEach(async () => {
  await Promise.all(children.map((child) => child.kill('SIGKILL')));
  await room.close();
  await gate.shut();
});

interface Run {
  id: string;
  attemptsMade: number;
  atMs: number;
}

/** A processor that gives these outcomes one after the other, then `done`, and the runs that it saw. */
function scripted(...outcomes: (Outcome | Error)[]) {
  const runs: Run[] = [];
  const processor = ({ id }: { id: string }, { attemptsMade }: { attemptsMade: number }): Promise<Outcome> => {
    runs.push({ id, attemptsMade, atMs: Date.now() });
    const outcome = outcomes[runs.length - 1] ?? done();
    return outcome instanceof Error ? Promise.reject(outcome) : Promise.resolve(outcome);
  };
  return { runs, processor };
}

/** A processor that waits until it is told to go on. */
function held() {
  const runs: string[] = [];
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const processor = async ({ id }: { id: string }) => {
    runs.push(id);
    await released;
    return done();
  };
  return { runs, processor, release: () => release() };
}

function spawnChild(fixture: string, env: Record<string, string>): SpawnedProcess {
  const child = spawnProcess({ entry: `packages/queues/src/fixtures/${fixture}.ts`, env });
  children.push(child);
  return child;
}

async function addJob(values: { priority?: 'bulk' } = {}): Promise<string> {
  const id = randomUUID();
  await room.producers().addSend([{ id, sender: SENDER, priority: 'transactional', ...values }]);
  return id;
}

const jobHash = (id: string) => room.redis.hgetall(queueKey(room.base, SEND_QUEUE, id));
const isGone = async (id: string) => (await room.redis.exists(queueKey(room.base, SEND_QUEUE, id))) === 0;

/** Whether an idle worker waits for a job: it then wakes with one although it was paused. */
async function isBlockedOnQueue(): Promise<boolean> {
  const clients = String(await room.redis.client('LIST')).split('\n');
  return clients.some((client) => client.includes(room.base) && / flags=\S*b.* cmd=bzpopmin/.test(client));
}

/** Makes delayed jobs due now. */
async function promote(...ids: string[]): Promise<void> {
  const queue = openQueue(room.redis, queuePrefix(room.base, SEND_QUEUE), SEND_QUEUE);
  for (const id of ids) await (await queue.getJob(id))?.promote();
}

test('a snoozed job runs again at its time and has used no attempt', async () => {
  const untilMs = Date.now() + 1000;
  const { runs, processor } = scripted(snooze(untilMs), snooze(0));
  const id = await addJob();
  room.worker({ processor });
  await waitFor(async () => runs.length === 3 && (await isGone(id)));
  expect(runs.map(({ attemptsMade }) => attemptsMade)).toEqual([0, 0, 0]);
  expect(runs.at(1)?.atMs).toBeGreaterThanOrEqual(untilMs);
});

test('a retried job runs again after its time, counted, without a maximum and without a word about it in Redis', async () => {
  const { runs, processor } = scripted(...Array.from({ length: 5 }, () => retry(60)), retry(60_000));
  const id = await addJob();
  room.worker({ processor });
  await waitFor(async () => (await room.delayed()).has(id) && runs.length === 6);
  expect(runs.map(({ attemptsMade }) => attemptsMade)).toEqual([0, 1, 2, 3, 4, 5]);
  expect((runs.at(5)?.atMs ?? 0) - (runs.at(0)?.atMs ?? 0)).toBeGreaterThanOrEqual(5 * 60);
  const hash = await jobHash(id);
  expect(hash).toMatchObject({ atm: '6' });
  expect(hash).not.toHaveProperty('failedReason');
  expect(hash).not.toHaveProperty('stacktrace');
});

test('a bulk job that was put off keeps its place behind transactional ones', async () => {
  const { runs, processor } = scripted(snooze(Date.now() + 60_000));
  const bulk = await addJob({ priority: 'bulk' });
  const worker = room.worker({ processor });
  await waitFor(async () => (await room.delayed()).has(bulk));
  worker.pause('test');
  await promote(bulk);
  const transactional = await addJob();
  worker.resume('test');
  await waitFor(() => runs.length === 3);
  expect(runs.map(({ id }) => id)).toEqual([bulk, transactional, bulk]);
});

test('a canceled job leaves Redis, and the reason stands in the log alone', async () => {
  const { processor } = scripted(cancel('the sender is gone'));
  const id = await addJob();
  room.worker({ processor });
  await waitFor(() => isGone(id));
  expect(room.logger.lines()).toContainEqual(expect.objectContaining({ msg: 'job canceled', jobId: id, reason: 'the sender is gone' }));
  const events = await room.redis.xrange(queueKey(room.base, SEND_QUEUE, 'events'), '-', '+');
  expect(JSON.stringify(events)).not.toContain('the sender is gone');
});

test('a processor that throws puts its job off for 5 s: no attempt, no failure, one log line that repeats no data', async () => {
  const body = randomBody();
  const error = Object.assign(new Error('connection refused'), { detail: body, parameters: [body] });
  const { runs, processor } = scripted(error, error, error);
  const ids = [await addJob(), await addJob(), await addJob()];
  room.worker({ processor });
  await waitFor(async () => (await room.delayed()).size === 3);
  for (const { id, atMs } of runs) {
    const dueMs = (await room.delayed()).get(id) ?? 0;
    expect(dueMs - atMs).toBeGreaterThanOrEqual(5000);
    expect(dueMs - atMs).toBeLessThan(6000);
  }
  expect(room.logger.lines().filter(({ msg }) => msg === 'job could not run: it is tried again in 5 s')).toHaveLength(1);
  expect(room.logger.text()).not.toContain(body);
  await promote(...ids);
  await waitFor(() => runs.length === 6);
  expect(runs.every(({ attemptsMade }) => attemptsMade === 0)).toBe(true);
});

test('a job of another version or with an unknown field waits for a worker that understands it', async () => {
  const queue = openQueue(room.redis, queuePrefix(room.base, SEND_QUEUE), SEND_QUEUE);
  const [newer, wider, plain] = [randomUUID(), randomUUID(), randomUUID()];
  await queue.add('send', { v: 2, id: newer }, { jobId: newer });
  await queue.add('send', { v: 1, id: wider, campaign: 'spring' }, { jobId: wider });
  await queue.add('send', { v: 1, id: plain }, { jobId: plain });
  const current = scripted();
  const worker = room.worker({ processor: current.processor });
  await waitFor(async () => (await room.delayed()).size === 2 && (await isGone(plain)));
  expect(current.runs.map(({ id }) => id)).toEqual([plain]);
  expect(await room.metrics.registry.metrics()).toContain(`tickmark_dead_letters_total{queue="${SEND_QUEUE}"} 2`);
  await promote(newer);
  await waitFor(async () => (await room.delayed()).has(newer));
  expect(await room.metrics.registry.metrics()).toContain(`tickmark_dead_letters_total{queue="${SEND_QUEUE}"} 2`);
  await worker.close(1000);

  const next = scripted();
  const schema = z.object({ v: z.number(), id: z.uuid() }) as unknown as z.ZodType<{ v: 1; id: string }>;
  room.worker({ processor: next.processor, schema });
  await promote(newer, wider);
  await waitFor(async () => (await isGone(newer)) && (await isGone(wider)));
  expect(next.runs.map(({ attemptsMade }) => attemptsMade)).toEqual([0, 0]);
});

test('a job that loses its lock while it runs is not failed by its late outcome', async () => {
  const id = randomUUID();
  await room.producers().addSend([{ id, sender: SENDER, priority: 'transactional' }]);
  const runs: string[] = [];
  const processor = async () => {
    runs.push(id);
    if (runs.length > 1) return done();
    await room.redis.set(queueKey(room.base, SEND_QUEUE, `${id}:lock`), 'another worker');
    return snooze(Date.now() + 60_000);
  };
  room.worker({ processor });
  await waitFor(() => room.logger.lines().some(({ msg }) => String(msg).startsWith('job could not be put off')));
  expect(await room.jobsIn('active')).toEqual([id]);
  expect(await jobHash(id)).not.toHaveProperty('failedReason');
});

test('a job of a worker that was killed runs again, however often that happened before', async () => {
  const id = await addJob();
  await room.redis.hset(queueKey(room.base, SEND_QUEUE, id), 'stc', 1000);
  const killed = spawnChild('killed-worker', {
    REDIS_URL: room.redisUrl,
    BASE: room.base,
    LOCK_MS: String(LOCKS.lockMs),
    STALLED_MS: String(LOCKS.stalledMs),
  });
  await killed.waitForMessage((message) => (message as RunningMessage).running === id);
  const { runs, processor } = scripted();
  room.worker({ processor, ...LOCKS });
  await killed.kill('SIGKILL');
  await waitFor(async () => runs.length === 1 && (await isGone(id)));
  expect(runs).toMatchObject([{ id, attemptsMade: 0 }]);
  const messages = room.logger.lines().map(({ msg }) => msg);
  expect(messages).toContain('job stalled: its worker died or hung, and it runs again');
  expect(messages).toContain('job may be what ends its workers: look at what they have in common');
});

test('after pause no job reaches the processor, not even the one that an idle worker was waiting for, and resume goes on', async () => {
  const { runs, processor } = scripted();
  const worker = room.worker({ processor });
  await worker.ready();
  await addJob();
  await waitFor(() => runs.length === 1);
  await waitFor(isBlockedOnQueue);
  worker.pause('test');
  const id = await addJob();
  await waitFor(async () => (await jobHash(id))['ats'] === '1' && (await room.jobsIn('wait')).includes(id));
  expect(runs).toHaveLength(1);
  worker.resume('test');
  await waitFor(() => runs.length === 2);
});

test('a worker that is paused for two reasons goes on when both are over', async () => {
  const { runs, processor } = scripted();
  const worker = room.worker({ processor });
  await worker.ready();
  await waitFor(isBlockedOnQueue);
  for (const reason of ['database', 'stopped', 'stopped']) worker.pause(reason);
  worker.resume('stopped');
  const id = await addJob();
  await waitFor(async () => (await jobHash(id))['ats'] === '1' && (await room.jobsIn('wait')).includes(id));
  expect(runs).toEqual([]);
  worker.resume('database');
  await waitFor(() => runs.length === 1);
});

test('a higher concurrency counts while all running jobs take long', async () => {
  const { runs, processor, release } = held();
  await Promise.all([addJob(), addJob(), addJob()]);
  const worker = room.worker({ processor });
  await waitFor(() => runs.length === 1);
  worker.setConcurrency(2);
  await waitFor(() => runs.length === 2);
  expect(await room.jobsIn('wait')).toHaveLength(1);
  worker.setConcurrency(3);
  await waitFor(() => runs.length === 3);
  release();
});

test('concurrency can be changed while jobs run', async () => {
  const { runs, processor, release } = held();
  await Promise.all([addJob(), addJob(), addJob()]);
  const worker = room.worker({ processor });
  await waitFor(() => runs.length === 1);
  expect(await room.jobsIn('wait')).toHaveLength(2);
  worker.setConcurrency(3);
  release();
  await waitFor(() => runs.length === 3);
});

test('the duration of each run is observed under the name of its queue', async () => {
  const { runs, processor } = scripted(snooze(0));
  const id = await addJob();
  room.worker({ processor });
  await waitFor(async () => runs.length === 2 && (await isGone(id)));
  expect(await room.metrics.registry.metrics()).toContain(`tickmark_job_duration_seconds_count{queue="${SEND_QUEUE}"} 2`);
});

test('closing lets running jobs end and takes no new ones', async () => {
  const { runs, processor, release } = held();
  const first = await addJob();
  const second = await addJob();
  const worker = room.worker({ processor });
  await waitFor(() => runs.length === 1);
  const closing = worker.close(5000);
  release();
  expect(await closing).toEqual({ drained: true });
  expect(await isGone(first)).toBe(true);
  expect(await room.jobsIn('wait')).toEqual([second]);
});

test('closing gives up at its deadline, and the job that still ran is found by another worker', async () => {
  const { runs, processor } = held();
  const id = await addJob();
  const worker = room.worker({ processor, ...LOCKS });
  await waitFor(() => runs.length === 1);
  const startMs = performance.now();
  expect(await worker.close(300)).toEqual({ drained: false });
  expect(await worker.close(300)).toEqual({ drained: false });
  expect(performance.now() - startMs).toBeLessThan(2500);
  const next = scripted();
  room.worker({ processor: next.processor, ...LOCKS });
  await waitFor(() => isGone(id));
  expect(next.runs).toHaveLength(1);
});

test('a worker that was started without Redis works when it comes, goes on after an outage, and closes at once in the next one', async () => {
  const { runs, processor } = scripted();
  const worker = room.worker({ redisUrl: gate.url, processor });
  await addJob();
  await gate.open();
  await waitFor(() => runs.length === 1);
  await gate.shut();
  await addJob();
  await gate.open();
  await waitFor(() => runs.length === 2, { timeoutMs: 15_000 });
  await gate.shut();
  await waitFor(() => room.logger.lines().some(({ msg }) => msg === 'queue worker met an error: it goes on'));
  const startMs = performance.now();
  await worker.close(5000);
  expect(performance.now() - startMs).toBeLessThan(2500);
});

test('closing without Redis waits for the jobs that run, and not for Redis', async () => {
  await gate.open();
  const { runs, processor, release } = held();
  await addJob();
  const worker = room.worker({ redisUrl: gate.url, processor });
  await waitFor(() => runs.length === 1);
  await gate.shut();
  let closed = false;
  const closing = worker.close(10_000).finally(() => {
    closed = true;
  });
  await waitFor(() => room.logger.lines().some(({ msg }) => msg === 'queue worker met an error: it goes on'));
  expect(closed).toBe(false);
  release();
  const startMs = performance.now();
  expect(await closing).toEqual({ drained: false });
  expect(performance.now() - startMs).toBeLessThan(2500);
});

test('a process without Redis that has closed everything ends by itself', async () => {
  const child = spawnChild('closing-worker', { REDIS_URL: gate.url });
  await child.waitForMessage((message) => 'started' in (message as ClosingMessage));
  await waitFor(() => child.output().includes('ECONNREFUSED'));
  expect(child.output().split('\n').length).toBeLessThan(20);
  child.signal('SIGUSR2');
  await child.waitForMessage(
    (message) => 'closedAfterMs' in (message as ClosingMessage) && (message as { closedAfterMs: number }).closedAfterMs < 2500,
  );
  expect(await child.exited).toEqual({ code: 0, signal: null });
});

test('a Redis without memory is asked about once a second, not thousands of times, and work goes on when there is some', async () => {
  const services = await startServices({ postgres: false });
  const admin = new Redis(services.redisUrl);
  const crowded = queueRoom({ redisUrl: services.redisUrl });
  try {
    const producers = crowded.producers();
    const add = () => producers.addSend([{ id: randomUUID(), sender: SENDER, priority: 'transactional' }]);
    const { runs, processor } = scripted();
    await add();
    await admin.config('SET', 'maxmemory', '1');
    crowded.worker({ processor, concurrency: 50 });
    const refusals = async () => Number(/errorstat_OOM:count=(\d+)/.exec(await admin.info('errorstats'))?.[1] ?? 0);
    await waitFor(refusals);
    const startMs = performance.now();
    await waitFor(() => performance.now() - startMs > 2500);
    expect(await refusals()).toBeLessThan(20);
    expect(crowded.logger.lines().length).toBeLessThan(10);
    await admin.config('SET', 'maxmemory', '0');
    await waitFor(() => runs.length === 1);
  } finally {
    await crowded.close();
    admin.disconnect();
    await services.stop();
  }
});
