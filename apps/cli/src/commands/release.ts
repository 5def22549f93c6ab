import type { Command } from 'commander';
import { z } from 'zod';
import type { CliContext } from '../cli-context.ts';
import { followConsoleTask, postToConsole } from '../console-client.ts';

const answerSchema = z.looseObject({ matched: z.number(), taskId: z.string().optional() });

interface ReleaseOptions {
  dryRun?: boolean;
  reason?: string;
  json?: true;
}

/** `tickmark release`: lets messages go on that are held for their error code. */
export function addReleaseCommand(program: Command, context: CliContext): void {
  const command = program
    .command('release')
    .argument('<code>', 'error code that the messages are held for')
    .description('let the messages go on that are held for an error code')
    .option('--dry-run', 'only count them')
    .option('--reason <text>', 'why, for the audit log')
    .option('--json', 'print the result as JSON');
  command.action(async (code: string, { dryRun = false, reason, json }: ReleaseOptions) => {
    if (!/^\d{1,6}$/.test(code)) command.error('error: the code is a number, such as 63062');
    if (!dryRun && !reason) command.error('error: --reason is missing: it is kept in the audit log');
    const answer = answerSchema.parse(await postToConsole(context.env, `/v1/policies/${code}/release`, { dryRun, reason }));
    const result = answer.taskId === undefined ? null : await followConsoleTask(context, answer.taskId);
    context.writeOut(json ? `${JSON.stringify({ ...answer, result })}\n` : describe(code, answer.matched, result));
  });
}

function describe(code: string, matched: number, result: unknown): string {
  if (result === null) return `${matched} messages are held for ${code}\n`;
  const { released } = z.looseObject({ released: z.number() }).parse(result);
  return `${released} of ${matched} messages wait to be sent${released < matched ? ', the others were moved meanwhile' : ''}\n`;
}
