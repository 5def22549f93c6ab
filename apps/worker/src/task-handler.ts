import type { Database, TaskProgress } from '@tickmark/delivery';
import type { Producers } from '@tickmark/queues';
import type { Clock, Logger, Metrics } from '@tickmark/runtime';
import type { StatusNews } from './status-news.ts';

export interface TaskDeps {
  db: Database;
  producers: Producers;
  news: Pick<StatusNews, 'changed'>;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
}

/** One run of a task. */
export interface TaskRun {
  taskId: string;
  /** As the console wrote it: to be parsed, because another release may have written it. */
  input: unknown;
  /** Name of the API key, for the audit log. */
  requestedBy: string;
  /** Shows how far it is; written about twice a second however often it is called. */
  progress: (progress: TaskProgress) => Promise<void>;
  /** Aborted when the process stops: the handler throws soon after (`signal.throwIfAborted()`), and the task goes on in another process. */
  signal: AbortSignal;
}

/**
 * Carries out tasks of one kind. One process at a time runs a task, but it may run again from its beginning at any time (a worker died, a store
 * went away), also after everything was done: a handler does nothing twice.
 *
 * @returns the result that `GET /v1/tasks/:id` shows
 * @throws AppError when it cannot be carried out, its message saying what to do next: the task has failed. One that is retryable, an outage of
 *   Postgres or Redis, and whatever it throws once `signal` is aborted, put the task off
 */
export type TaskHandler = (deps: TaskDeps, run: TaskRun) => Promise<unknown>;
