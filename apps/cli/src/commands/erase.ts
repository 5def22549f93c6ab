import { setTimeout as pause } from 'node:timers/promises';
import type { Task } from '@tickmark/delivery';
import type { Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { operatorName } from '../operator-name.ts';
import { readRecipient, RECIPIENT_PROBLEM } from '../read-suppressions.ts';
import { withDatabase, type Delivery } from '../with-database.ts';

const LOOK_AGAIN_MS = 500;

/** Workers look for tasks without a job every few seconds; when none has taken it up after this, none runs. */
const UNTAKEN_MS_MAX = 60_000;

interface EraseOptions {
  dryRun?: true;
  reason?: string;
  by?: string;
  json?: true;
}

/** `tickmark erase`: finds everything about one person, or has the workers erase it. */
export function addEraseCommand(program: Command, context: CliContext): void {
  const command = program
    .command('erase')
    .argument('<phone>', '+<country code and number>, or whatsapp:<CC>.<user id>')
    .description('erase everything about one phone number, and prove it')
    .option('--dry-run', 'only find it')
    .option('--reason <text>', 'why, for the audit log; to be given unless with --dry-run')
    .option('--by <name>', 'who, for the audit log; default: the user of the operating system')
    .option('--json', 'print the result as JSON');
  command.action(async (phone: string, options: EraseOptions) => {
    if (readRecipient(phone) === null) command.error(`error: ${RECIPIENT_PROBLEM}`);
    if (!options.dryRun && !options.reason) command.error('error: --reason is missing: it is kept in the audit log');
    await erase(context, readRecipient(phone) ?? phone, options);
  });
}

async function erase(context: CliContext, phone: string, { dryRun, reason = 'looked for', by, json }: EraseOptions): Promise<void> {
  await withDatabase(context, async (db, delivery) => {
    const taskId = await delivery.createTask(db, {
      kind: 'erase',
      input: { phone, dryRun: dryRun === true, reason },
      requestedBy: operatorName(by),
    });
    context.writeError(`task ${taskId}: a worker takes it up within seconds\n`);
    const { error, result } = await untilEnded(context, taskId, () => delivery.getTask(db, taskId));
    if (error !== null) throw new CliError('FAILED', error);
    context.writeOut(`${JSON.stringify(result, null, json ? undefined : 2)}\n`);
  });
}

async function untilEnded(context: CliContext, taskId: string, look: () => ReturnType<Delivery['getTask']>): Promise<Task> {
  const startMs = performance.now();
  for (let told = ''; ; await pause(LOOK_AGAIN_MS)) {
    const task = await look();
    if (task === null) throw new CliError('NOT_FOUND', `Task ${taskId} is gone.`);
    if (task.finishedAt !== null) return task;
    const step = Object.values(task.progress).join(' ');
    if (step !== told) context.writeError(`${step}\n`);
    told = step;
    if (task.state === 'queued' && performance.now() - startMs > UNTAKEN_MS_MAX) {
      throw new CliError(
        'NO_WORKER',
        `No worker has taken up task ${taskId}: start one, and it is carried out. GET /v1/tasks/${taskId} tells how far it is.`,
      );
    }
  }
}
