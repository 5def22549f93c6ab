import { ConfigError, VERSION } from '@tickmark/runtime';
import { Command, CommanderError } from 'commander';
import { CliError } from './cli-error.ts';
import type { CliContext } from './cli-context.ts';
import { addDeadLettersCommand } from './commands/dead-letters.ts';
import { addEraseCommand } from './commands/erase.ts';
import { addMigrateCommand } from './commands/migrate.ts';
import { addReleaseCommand } from './commands/release.ts';
import { addResolveCommand } from './commands/resolve.ts';
import { addRestoreCommand } from './commands/restore.ts';
import { addRetryCommand } from './commands/retry.ts';
import { addStatusCommand } from './commands/status.ts';
import { addStopCommands } from './commands/stops.ts';
import { addSuppressionsCommand } from './commands/suppressions.ts';

/** The call itself was wrong: an argument, an option or a setting of the environment. */
const EXIT_USAGE = 2;
const EXIT_FAILED = 1;

/** Runs one command line (without `node` and the script). @returns the exit code: 0 ok, 1 failed, 2 usage. */
export async function runCli(args: readonly string[], context: CliContext): Promise<number> {
  try {
    await createProgram(context).parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    // Commander has already written its help or its complaint.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_USAGE;
    return reportFailure(error, args.includes('--json'), context);
  }
}

function createProgram(context: CliContext): Command {
  const program = new Command('tickmark')
    .description('Sends WhatsApp messages through Twilio and knows what became of every one of them.')
    .version(VERSION)
    .helpCommand(false)
    .showHelpAfterError('Run tickmark --help to see the commands, or tickmark <command> --help for one of them.')
    .configureOutput({ writeOut: context.writeOut, writeErr: context.writeError, getOutHelpWidth: () => 120, getErrHelpWidth: () => 120 })
    .exitOverride();
  addStatusCommand(program, context);
  addStopCommands(program, context);
  addRetryCommand(program, context);
  addReleaseCommand(program, context);
  addResolveCommand(program, context);
  addDeadLettersCommand(program, context);
  addSuppressionsCommand(program, context);
  addRestoreCommand(program, context);
  addEraseCommand(program, context);
  addMigrateCommand(program, context);
  return program;
}

function reportFailure(error: unknown, asJson: boolean, context: CliContext): number {
  const { code, message, exitCode } = describeFailure(error);
  context.writeError(asJson ? `${JSON.stringify({ error: { code, message } })}\n` : `${message}\n`);
  return exitCode;
}

function describeFailure(error: unknown): { code: string; message: string; exitCode: number } {
  if (error instanceof CliError) return { code: error.code, message: error.message, exitCode: EXIT_FAILED };
  if (error instanceof ConfigError) return { code: 'CONFIGURATION', message: error.message, exitCode: EXIT_USAGE };
  // A surprise: its stack is what a report of the bug needs.
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: 'INTERNAL', message: `unexpected: ${message}\nPlease report this with the command that you ran.`, exitCode: EXIT_FAILED };
}
