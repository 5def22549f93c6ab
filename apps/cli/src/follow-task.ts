import { setTimeout as delay } from 'node:timers/promises';
import type { CliContext } from './cli-context.ts';
import { CliError } from './cli-error.ts';

const POLL_MS = 300;

/** Workers look for tasks without a job every few seconds; when none has taken it up after this, none runs. */
const UNTAKEN_MS_MAX = 60_000;

/** A task as the console shows it, and as the database has it. */
export interface FollowedTask {
  state: string;
  progress: Record<string, unknown>;
  result: unknown;
  error: string | null;
}

/**
 * Waits for a task, telling on stderr how far it is.
 *
 * @param look how it stands now; null = it is gone
 * @returns its result
 * @throws CliError when it failed, is gone, or no worker took it up in time; whoever breaks off the wait does not break off the task
 */
export async function followTask(
  { writeError }: Pick<CliContext, 'writeError'>,
  { taskId, look, untakenMsMax = UNTAKEN_MS_MAX }: { taskId: string; look: () => Promise<FollowedTask | null>; untakenMsMax?: number },
): Promise<unknown> {
  const untakenUntilMs = performance.now() + untakenMsMax;
  let told = `task ${taskId}: queued`;
  writeError(`${told}\n`);
  for (; ; await delay(POLL_MS)) {
    const task = await look();
    if (task === null) throw new CliError('NOT_FOUND', `Task ${taskId} is gone.`);
    const line = [`task ${taskId}: ${task.state}`, ...describeProgress(task.progress)].join(', ');
    if (line !== told) writeError(`${line}\n`);
    told = line;
    if (task.state === 'done') return task.result;
    if (task.state === 'failed') throw new CliError('TASK_FAILED', task.error ?? 'The task failed; the log of the worker tells why.');
    if (task.state === 'queued' && performance.now() > untakenUntilMs) {
      throw new CliError(
        'NO_WORKER',
        `No worker has taken up task ${taskId}: start one, and it is carried out. GET /v1/tasks/${taskId} of the console tells how far it is.`,
      );
    }
  }
}

const describeProgress = (progress: Record<string, unknown>) =>
  Object.entries(progress).map(([name, value]) => `${name} ${typeof value === 'string' ? value : JSON.stringify(value)}`);
