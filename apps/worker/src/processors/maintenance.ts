import {
  failTask,
  finishTask,
  noteTaskProgress,
  startTask,
  withAdvisoryLock,
  type Task,
  type TaskKind,
  type TaskProgress,
} from '@tickmark/delivery';
import { AppError } from '@tickmark/domain';
import { done, QueueTimeoutError, QueueUnavailableError, snooze, type MaintenancePayload, type Outcome } from '@tickmark/queues';
import { isDatabaseAway } from '../is-database-away.ts';
import type { TaskDeps, TaskHandler } from '../task-handler.ts';

/** For a task that stopped with its process, or is another's at the moment. */
const LOOK_AGAIN_MS = 1_000;
const PROGRESS_MS = 500;

const SURPRISE = 'Something failed on our side. What was done stays done; ask again later, and give the operators the id of this task.';

export interface MaintenanceDeps extends TaskDeps {
  taskHandlers: Partial<Record<TaskKind, TaskHandler>>;
}

/**
 * Carries out one task, in one process at a time: a lock in Postgres holds also where the queue took its worker for dead.
 *
 * @param stopping aborted when the process stops: a task that takes long goes on elsewhere
 */
export function createMaintenanceProcessor(deps: MaintenanceDeps, stopping: AbortSignal) {
  return async function carryOut({ taskId }: MaintenancePayload): Promise<Outcome> {
    const result = await withAdvisoryLock(deps.db, `task ${taskId}`, () => runTask(deps, taskId, stopping));
    return result.ran ? result.value : lookAgain(deps);
  };
}

async function runTask(deps: MaintenanceDeps, taskId: string, stopping: AbortSignal): Promise<Outcome> {
  const { db, log } = deps;
  const task = await startTask(db, taskId);
  if (task === null) return done();
  const handler = deps.taskHandlers[task.kind];
  if (handler === undefined) {
    log.warn({ taskId, kind: task.kind }, 'task of a kind that this release does not know: it waits for one that does');
    return lookAgain(deps);
  }
  const startedMs = deps.clock.monotonicMs();
  const result = await carryOutWith(handler, deps, task, stopping);
  if ('putOff' in result) {
    log.info({ taskId, kind: task.kind, err: result.putOff }, 'task put off');
    return lookAgain(deps);
  }
  const durationMs = Math.round(deps.clock.monotonicMs() - startedMs);
  if ('error' in result) {
    await failTask(db, taskId, result.error);
    log.warn({ taskId, kind: task.kind, durationMs }, 'task failed');
  } else {
    await finishTask(db, taskId, result.value);
    log.info({ taskId, kind: task.kind, durationMs }, 'task done');
  }
  return done();
}

/** No outage fails a task. @throws that of the database */
async function carryOutWith(
  handler: TaskHandler,
  deps: MaintenanceDeps,
  { id: taskId, kind, input, requestedBy }: Task,
  signal: AbortSignal,
): Promise<{ value: unknown } | { error: string } | { putOff: unknown }> {
  const progress = createProgress(deps, taskId);
  try {
    const value = await handler(deps, { taskId, input, requestedBy, progress: progress.tell, signal });
    await progress.write();
    return { value };
  } catch (error) {
    // The database's absence is for the breaker to tell.
    if (isDatabaseAway(error)) throw error;
    if (signal.aborted || isRedisAway(error) || (error instanceof AppError && error.retryable)) return { putOff: error };
    await progress.write();
    if (error instanceof AppError) return { error: error.message };
    deps.log.error({ taskId, kind, err: error }, 'task failed in a way that nobody foresaw');
    return { error: SURPRISE };
  }
}

function isRedisAway(error: unknown): boolean {
  return error instanceof QueueUnavailableError || error instanceof QueueTimeoutError;
}

function createProgress({ db, clock }: TaskDeps, taskId: string) {
  let told: TaskProgress | null = null;
  let writtenMs = Number.NEGATIVE_INFINITY;
  const write = async () => {
    if (told === null) return;
    const progress = told;
    told = null;
    writtenMs = clock.monotonicMs();
    await noteTaskProgress(db, taskId, progress);
  };
  return {
    write,
    tell: async (progress: TaskProgress) => {
      told = progress;
      if (clock.monotonicMs() - writtenMs >= PROGRESS_MS) await write();
    },
  };
}

function lookAgain({ clock }: TaskDeps): Outcome {
  return snooze(clock.now().getTime() + LOOK_AGAIN_MS);
}
