import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { createTask, failTask, findOpenTasks, finishTask, getTask, noteTaskProgress, startTask } from './tasks.ts';

const room = deliveryRoom();
const asked = { kind: 'retry', input: { ids: ['a'] }, requestedBy: 'ann' } as const;

it('a task goes from queued to done, with its progress and its result', async () => {
  const id = await createTask(room.db, asked);
  expect(await getTask(room.db, id)).toMatchObject({ ...asked, id, state: 'queued', progress: {}, startedAt: null, finishedAt: null });
  expect(await startTask(room.db, id)).toMatchObject({ state: 'running', input: { ids: ['a'] }, startedAt: expect.any(Date) });
  await noteTaskProgress(room.db, id, { done: 1, of: 2 });
  expect(await getTask(room.db, id)).toMatchObject({ progress: { done: 1, of: 2 } });
  await finishTask(room.db, id, { made: 2 });
  expect(await getTask(room.db, id)).toMatchObject({ state: 'done', result: { made: 2 }, error: null, finishedAt: expect.any(Date) });
});

it('a running task may be taken up again, an ended one not, and it stays as it ended', async () => {
  const id = await createTask(room.db, asked);
  const first = await startTask(room.db, id);
  expect(await startTask(room.db, id)).toMatchObject({ state: 'running', startedAt: first?.startedAt });
  await failTask(room.db, id, 'The file is missing: put it back and ask again.');
  expect(await startTask(room.db, id)).toBeNull();
  await finishTask(room.db, id, {});
  await noteTaskProgress(room.db, id, { done: 9 });
  expect(await getTask(room.db, id)).toMatchObject({ state: 'failed', error: expect.stringContaining('ask again'), progress: {} });
});

it('a task asked for twice under one id is one', async () => {
  const id = randomUUID();
  await createTask(room.db, { ...asked, id });
  await createTask(room.db, { ...asked, id, requestedBy: 'bob' });
  expect(await getTask(room.db, id)).toMatchObject({ requestedBy: 'ann' });
  expect(await getTask(room.db, randomUUID())).toBeNull();
});

it('finds what has not ended after a while, and nothing else', async () => {
  const [queued, running] = [await createTask(room.db, asked), await createTask(room.db, asked)];
  const [done, young] = [await createTask(room.db, asked), await createTask(room.db, asked)];
  for (const id of [running, done]) await startTask(room.db, id);
  await finishTask(room.db, done, {});
  await room.db.sql`UPDATE tasks SET created_at = now() - interval '11 seconds' WHERE id <> ${young}`;
  const found = await findOpenTasks(room.db, { olderThanSeconds: 10, limit: 100 });
  expect(found).toEqual(expect.arrayContaining([queued, running]));
  expect(found).not.toContain(done);
  expect(found).not.toContain(young);
});

it.each([
  ['done', (id: string) => finishTask(room.db, id, {})],
  ['failed', (id: string) => failTask(room.db, id, 'A bug.')],
])('an erasure that is %s does not say any more whom it was about', async (state, end) => {
  const id = await createTask(room.db, { ...asked, kind: 'erase', input: { phone: '+15550001', reason: 'x' } });
  await startTask(room.db, id);
  await end(id);
  expect(await getTask(room.db, id)).toMatchObject({ state, input: { phone: 'erased' } });
});
