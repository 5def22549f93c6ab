import { getTask, TASK_KINDS, type Database, type Task } from '@tickmark/delivery';
import { AppError } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { withStore } from '../with-store.ts';

const time = z.iso.datetime();

const paramsSchema = z.object({
  id: z.uuid('the id of a task is the taskId that the action was answered with').describe('taskId of the answer to the action'),
});

const taskSchema = z
  .object({
    id: z.uuid(),
    kind: z.enum(TASK_KINDS),
    state: z.enum(['queued', 'running', 'done', 'failed']),
    progress: z.record(z.string(), z.union([z.string(), z.number(), z.null()])).describe('how far it is, in the words of its kind'),
    result: z.unknown().describe('what it did; null until it is done'),
    error: z.string().nullable().describe('why it failed, and what to do next'),
    requestedBy: z.string().describe('name of the API key that asked for it'),
    createdAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
  })
  .meta({ title: 'Task' });

/** Tasks are seen by whoever reads everything, and by whoever may ask for them. */
export function addTaskRoutes(server: HttpServer, { db, authenticator }: { db: Database; authenticator: Authenticator }): void {
  server.get(
    '/v1/tasks/:id',
    {
      onRequest: authenticator.require('read', 'admin'),
      schema: { tags: ['tasks'], summary: 'How far a task is, and what it did', params: paramsSchema, response: { 200: taskSchema } },
    },
    async (request) => {
      const task = await withStore(db, () => getTask(db, request.params.id));
      if (task === null) throw new AppError('TASK_NOT_FOUND', 'There is no task of this id: check it against the taskId of the answer.');
      return describeTask(task);
    },
  );
}

function describeTask({ id, kind, state, progress, result, error, requestedBy, ...times }: Task): z.infer<typeof taskSchema> {
  const toIso = (at: Date | null) => at?.toISOString() ?? null;
  return {
    id,
    kind,
    state,
    progress,
    result,
    error,
    requestedBy,
    createdAt: times.createdAt.toISOString(),
    startedAt: toIso(times.startedAt),
    finishedAt: toIso(times.finishedAt),
  };
}
