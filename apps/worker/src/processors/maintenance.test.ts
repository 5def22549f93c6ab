import { createTask, findOpenTasks, getTask, type Task, type TaskKind } from '@tickmark/delivery';
import { AppError } from '@tickmark/domain';
import { QueueUnavailableError } from '@tickmark/queues';
import { waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createWorkerHarness, type WorkerHarness } from '../fixtures/worker-harness.ts';
import { startWorker, type RunningWorker } from '../start-worker.ts';
import { sweepOnce } from '../sweeper.ts';
import type { TaskHandler } from '../task-handler.ts';

let harness: WorkerHarness;
let worker: RunningWorker;
/** What the running worker carries tasks out with; each test says what it needs. */
const handlers: Partial<Record<TaskKind, TaskHandler>> = {};
beforeAll(async () => {
  harness = await createWorkerHarness();
  worker = start();
});
afterAll(async () => {
  await stop();
  await harness.close();
});

async function stop(): Promise<void> {
  await worker.stopTaking(5_000);
  await worker.drain();
}

function start(): RunningWorker {
  const settings = { redisUrl: harness.gates.redis.url, base: harness.redis.base, senders: [harness.sender], concurrencyMax: 20 };
  return startWorker(
    { ...harness.deps, taskHandlers: handlers },
    { ...settings, reconcileConcurrency: 2, lockMs: undefined, stalledMs: undefined, windowGuard: 'auto' },
  );
}

async function ask(kind: TaskKind = 'retry', input: unknown = { of: 3 }): Promise<string> {
  const taskId = await createTask(harness.db, { kind, input, requestedBy: 'ann' });
  await harness.producers.addMaintenance({ taskId });
  return taskId;
}

async function ended(taskId: string): Promise<Task> {
  return waitFor(async () => {
    const task = await getTask(harness.db, taskId);
    return task?.finishedAt ? task : null;
  });
}

it('a task is carried out, and shows its progress and its result', async () => {
  handlers.retry = async (_deps, { input, requestedBy, progress }) => {
    for (const done of [1, 2, 3]) await progress({ done, of: 3 });
    return { input, requestedBy };
  };
  expect(await ended(await ask())).toMatchObject({
    state: 'done',
    progress: { done: 3, of: 3 },
    result: { input: { of: 3 }, requestedBy: 'ann' },
    error: null,
  });
});

it('a task that cannot be carried out fails with what to do next; what nobody foresaw fails without its text', async () => {
  handlers.retry = () => Promise.reject(new AppError('MESSAGE_FINAL', 'Nothing is left to do: look at the message.'));
  handlers.release = () => Promise.reject(new Error('secret'));
  expect(await ended(await ask('retry'))).toMatchObject({ state: 'failed', error: 'Nothing is left to do: look at the message.' });
  const surprise = await ended(await ask('release'));
  expect(surprise).toMatchObject({ state: 'failed', error: expect.stringContaining('ask again later') });
  expect(surprise.error).not.toContain('secret');
});

it('a task outlives a stop of its process and the death of its worker: it goes on elsewhere, and ends once', async () => {
  const runs: string[] = [];
  handlers.retry = async (_deps, { taskId, signal }) => {
    runs.push(taskId);
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))));
  };
  const taskId = await ask();
  await waitFor(() => runs.length === 1);
  // Within its deadline, though the handler would never end by itself.
  await stop();
  expect(await getTask(harness.db, taskId)).toMatchObject({ state: 'running', finishedAt: null });
  handlers.retry = async () => ({ resumed: true });
  worker = start();
  expect(await ended(taskId)).toMatchObject({ state: 'done', result: { resumed: true } });
});

it('an outage puts a task off and fails nothing', async () => {
  let tries = 0;
  handlers.retry = async () => {
    tries += 1;
    if (tries === 1) throw new QueueUnavailableError('redis is not reachable');
    return { tries };
  };
  const taskId = await ask();
  await waitFor(() => tries === 1);
  expect(await getTask(harness.db, taskId)).toMatchObject({ state: 'running', error: null });
  expect(await ended(taskId)).toMatchObject({ state: 'done', result: { tries: 2 } });
});

it('the sweeper gives a task without a job one, not before ten seconds, and does not disturb one that runs', async () => {
  const taskId = await createTask(harness.db, { kind: 'retry', input: {}, requestedBy: 'ann' });
  let runs = 0;
  let finish = () => {};
  handlers.retry = async () => {
    runs += 1;
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
    return {};
  };
  await sweepOnce(harness.deps);
  await harness.db.sql`UPDATE tasks SET created_at = now() - interval '11 seconds' WHERE id = ${taskId}`;
  expect(runs).toBe(0);
  await sweepOnce(harness.deps);
  await waitFor(() => runs === 1);
  await sweepOnce(harness.deps);
  finish();
  await ended(taskId);
  expect(runs).toBe(1);
  expect(await findOpenTasks(harness.db, { olderThanSeconds: 0, limit: 10 })).toEqual([]);
});
