import type { Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { followTask } from '../follow-task.ts';
import { operatorName } from '../operator-name.ts';
import { readRecipient, RECIPIENT_PROBLEM } from '../read-suppressions.ts';
import { withDatabase } from '../with-database.ts';

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
    const result = await followTask(context, { taskId, look: () => delivery.getTask(db, taskId) });
    context.writeOut(`${JSON.stringify(result, null, json ? undefined : 2)}\n`);
  });
}
