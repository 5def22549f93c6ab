import { createTask, type Database, type TaskKind } from '@tickmark/delivery';
import type { Producers } from '@tickmark/queues';
import type { Logger } from '@tickmark/runtime';
import { z } from 'zod';
import { withStore } from './with-store.ts';

/** What an action answers with 202; actions add what they know already. */
export const taskAskedSchema = z.object({ taskId: z.uuid().describe('GET /v1/tasks/:id tells how far it is') });

export interface AskForTaskDeps {
  db: Database;
  producers: Pick<Producers, 'addMaintenance'>;
  log: Logger;
}

/**
 * Has the workers do something. Once the task is in the database it will be done: should Redis not take its job now, the sweeper adds it.
 *
 * @param input what the task's handler in the worker reads
 * @param requestedBy name of the API key
 * @throws AppError STORE_UNAVAILABLE when it may not have been written down
 */
export async function askForTask(
  { db, producers, log }: AskForTaskDeps,
  task: { kind: TaskKind; input: unknown; requestedBy: string },
): Promise<z.infer<typeof taskAskedSchema>> {
  const taskId = await withStore(db, () => createTask(db, task));
  try {
    await producers.addMaintenance({ taskId });
  } catch (error) {
    log.warn({ taskId, err: error }, 'task waits for the sweeper: the queue did not take it');
  }
  return { taskId };
}
