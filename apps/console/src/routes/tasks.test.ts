import { randomUUID } from 'node:crypto';
import { failTask, finishTask, noteTaskProgress, startTask } from '@tickmark/delivery';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { askForTask } from '../ask-for-task.ts';
import { createConsoleHarness, type ConsoleHarness } from '../fixtures/console-harness.ts';

describe('GET /v1/tasks/:id', () => {
  let app: ConsoleHarness;
  beforeAll(async () => {
    app = await createConsoleHarness();
  });
  afterAll(() => app.close());

  const ask = () => askForTask({ ...app, log: app.log.log }, { kind: 'retry', input: { to: 'somebody' }, requestedBy: 'boss' });

  it('tells how far a task is and what it did, but not what it was asked', async () => {
    const { taskId } = await ask();
    const task = { id: taskId, kind: 'retry', state: 'queued', progress: {}, result: null, error: null, requestedBy: 'boss' };
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(await app.get(`/v1/tasks/${taskId}`)).toMatchObject({ status: 200 });
    expect((await app.get(`/v1/tasks/${taskId}`)).json).toEqual({ ...task, createdAt: time, startedAt: null, finishedAt: null });
    await startTask(app.db, taskId);
    await noteTaskProgress(app.db, taskId, { done: 3, of: 7 });
    await finishTask(app.db, taskId, { made: 7 });
    const done = { ...task, state: 'done', progress: { done: 3, of: 7 }, result: { made: 7 } };
    expect((await app.get(`/v1/tasks/${taskId}`, 'boss')).json).toEqual({ ...done, createdAt: time, startedAt: time, finishedAt: time });
  });

  it('says why a task failed', async () => {
    const { taskId } = await ask();
    await startTask(app.db, taskId);
    await failTask(app.db, taskId, 'The folder is full: make room and ask again.');
    expect((await app.get(`/v1/tasks/${taskId}`)).json).toMatchObject({ state: 'failed', error: expect.stringContaining('make room') });
  });

  it('answers 404 for another id, 400 for what is none, and refuses keys that only send', async () => {
    expect(await app.get(`/v1/tasks/${randomUUID()}`)).toMatchObject({ status: 404, json: { error: { code: 'TASK_NOT_FOUND' } } });
    expect(await app.get('/v1/tasks/17')).toMatchObject({ status: 400, json: { error: { code: 'VALIDATION_FAILED' } } });
    expect(await app.get(`/v1/tasks/${randomUUID()}`, 'shop')).toMatchObject({ status: 403, json: { error: { code: 'FORBIDDEN_SCOPE' } } });
  });
});

it('a task that Redis does not take now waits in the database, and the action is answered all the same', async () => {
  const app = await createConsoleHarness({ redisUrl: 'redis://127.0.0.1:1' });
  const { taskId } = await askForTask({ ...app, log: app.log.log }, { kind: 'release', input: {}, requestedBy: 'boss' });
  expect((await app.get(`/v1/tasks/${taskId}`)).json).toMatchObject({ kind: 'release', state: 'queued' });
  await app.close();
});
