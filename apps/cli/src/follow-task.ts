import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { CliContext } from './cli-context.ts';
import { CliError } from './cli-error.ts';
import { getFromConsole } from './console-client.ts';

const POLL_MS = 300;

const taskSchema = z.looseObject({
  state: z.enum(['queued', 'running', 'done', 'failed']),
  progress: z.record(z.string(), z.unknown()),
  result: z.unknown(),
  error: z.string().nullable(),
});

/**
 * Waits for a task, telling on stderr how far it is.
 *
 * @returns its result
 * @throws CliError when it failed; whoever breaks off the wait does not break off the task
 */
export async function followTask({ env, writeError }: CliContext, taskId: string): Promise<unknown> {
  let told = `task ${taskId}: queued`;
  writeError(`${told}\n`);
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- the loop is the wait
    const { state, progress, result, error } = taskSchema.parse(await getFromConsole(env, `/v1/tasks/${taskId}`));
    const details = Object.entries(progress).map(([name, value]) => `${name} ${String(value)}`);
    const line = [`task ${taskId}: ${state}`, ...details].join(', ');
    if (line !== told) writeError(`${line}\n`);
    told = line;
    if (state === 'done') return result;
    if (state === 'failed') throw new CliError('TASK_FAILED', error ?? 'The task failed; the log of the worker tells why.');
    // oxlint-disable-next-line no-await-in-loop -- as above
    await delay(POLL_MS);
  }
}
