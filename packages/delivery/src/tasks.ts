import { randomUUID } from 'node:crypto';
import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';
import { sanitizedJson, sanitizeText } from './sanitize-text.ts';

/** What an operator can ask the workers to do. */
export const TASK_KINDS = ['retry', 'release', 'resolve', 'cleanup', 'erase'] as const;
export type TaskKind = (typeof TASK_KINDS)[number];

export type TaskState = 'queued' | 'running' | 'done' | 'failed';

/** How far a task is, in the words of its kind: counts, mostly. Nothing personal: every key with the scope read sees it. */
export type TaskProgress = Record<string, string | number | null>;

/** Work that an operator asked for. Its input stays in Postgres; the queue knows the id alone. */
export interface Task {
  id: string;
  kind: TaskKind;
  state: TaskState;
  /** As the console wrote it, perhaps of another release: whoever carries it out parses it. */
  input: unknown;
  progress: TaskProgress;
  result: unknown;
  /** Why it failed and what to do next; null unless it failed. */
  error: string | null;
  requestedBy: string;
  createdAt: Date;
  /** Of its first run. */
  startedAt: Date | null;
  finishedAt: Date | null;
}

type Db = Pick<Database, 'sql'>;

/** Writes down what is to be done. It is carried out once a worker hears of its id, by the queue or from the sweeper. @returns its id */
export async function createTask(
  db: Db,
  { id = randomUUID(), kind, input, requestedBy }: { id?: string; kind: TaskKind; input: unknown; requestedBy: string },
): Promise<string> {
  await inStatement(
    db.sql,
    (sql) => sql`
      INSERT INTO tasks (id, kind, input, requested_by)
      VALUES (${id}, ${kind}, ${sanitizedJson(input) ?? '{}'}::text::jsonb, ${sanitizeText(requestedBy)})
      ON CONFLICT (id) DO NOTHING`,
  );
  return id;
}

/**
 * Takes a task up: for the first time, or again when the worker that had it died.
 *
 * @returns null when it has ended, or was never there; nothing is to be done then
 */
export async function startTask(db: Db, id: string): Promise<Task | null> {
  const [task] = await inStatement(
    db.sql,
    (sql) => sql<Task[]>`
      UPDATE tasks SET state = 'running', started_at = COALESCE(started_at, now())
      WHERE id = ${id} AND state IN ('queued', 'running')
      RETURNING ${taskColumns(sql)}`,
  );
  return task ?? null;
}

/** Says how far a running task is. */
export async function noteTaskProgress(db: Db, id: string, progress: TaskProgress): Promise<void> {
  await inStatement(
    db.sql,
    (sql) => sql`UPDATE tasks SET progress = ${sanitizedJson(progress)}::text::jsonb WHERE id = ${id} AND state = 'running'`,
  );
}

/** Ends a running task with what it did. A task that has ended stays as it ended, and one that erases a person does not say any more whom. */
export async function finishTask(db: Db, id: string, result: unknown): Promise<void> {
  await inStatement(
    db.sql,
    (sql) => sql`
      UPDATE tasks SET state = 'done', result = ${sanitizedJson(result)}::text::jsonb, finished_at = now(), input = ${endedInput(sql)}
      WHERE id = ${id} AND state = 'running'`,
  );
}

/** Ends a running task that cannot be carried out, as {@link finishTask} does. @param error why, and what to do next: shown to whoever asks */
export async function failTask(db: Db, id: string, error: string): Promise<void> {
  await inStatement(
    db.sql,
    (sql) => sql`
      UPDATE tasks SET state = 'failed', error = ${sanitizeText(error)}, finished_at = now(), input = ${endedInput(sql)}
      WHERE id = ${id} AND state = 'running'`,
  );
}

/** @returns null when there is no such task */
export async function getTask(db: Db, id: string): Promise<Task | null> {
  const [task] = await inStatement(db.sql, (sql) => sql<Task[]>`SELECT ${taskColumns(sql)} FROM tasks WHERE id = ${id}`);
  return task ?? null;
}

/**
 * Tasks that have not ended some time after they were asked for, the oldest first: some may have no job, because Redis was away or wiped.
 * To be added to the queue again, where one whose job is still there stays as it is.
 */
export async function findOpenTasks(db: Db, { olderThanSeconds, limit }: { olderThanSeconds: number; limit: number }): Promise<string[]> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql<{ id: string }[]>`
      SELECT id FROM tasks
      -- The words of the partial index.
      WHERE state IN ('queued', 'running') AND created_at < now() - ${olderThanSeconds} * interval '1 second'
      ORDER BY created_at LIMIT ${limit}`,
  );
  return rows.map(({ id }) => id);
}

function endedInput(sql: postgres.ISql) {
  return sql`CASE WHEN kind = 'erase' THEN '{"phone":"erased"}' ELSE input END`;
}

function taskColumns(sql: postgres.ISql) {
  return sql`id, kind, state, input, progress, result, error, COALESCE(requested_by, '') AS "requestedBy",
    created_at AS "createdAt", started_at AS "startedAt", finished_at AS "finishedAt"`;
}
