import { loadConfig } from '@tickmark/runtime';
import type { Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';

export function addMigrateCommand(program: Command, context: CliContext): void {
  program
    .command('migrate')
    .description('bring the database (DATABASE_URL) up to date')
    .option('--json', 'print {"applied": <number>}')
    .action(async ({ json }: { json?: true }) => {
      const { applied } = await migrate(context);
      context.writeOut(json ? `${JSON.stringify({ applied })}\n` : `${describeApplied(applied)}\n`);
    });
}

async function migrate({ env, writeError }: CliContext): Promise<{ applied: number }> {
  const config = loadConfig(['DATABASE_URL'], { env });
  // Loaded here, because no other command needs a database and all of them should start fast.
  const { classifyDatabaseError, migrateDatabase } = await import('@tickmark/delivery');
  const say = (fields: object, sentence: string) => writeError(`${sentence} ${JSON.stringify(fields)}\n`);
  try {
    return await migrateDatabase({ url: config.DATABASE_URL.reveal(), log: { info: say, warn: say } });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (classifyDatabaseError(error) !== 'infrastructure') {
      throw new CliError('MIGRATION_FAILED', `The migration failed and changed nothing: ${reason}`, { cause: error });
    }
    throw new CliError(
      'STORE_UNAVAILABLE',
      `PostgreSQL did not answer (${reason}). Check that it runs and that DATABASE_URL names it, then run this again: it is safe to repeat.`,
      { cause: error },
    );
  }
}

function describeApplied(applied: number): string {
  if (applied === 0) return 'The database is up to date: there was no migration to apply.';
  return `Applied ${applied} migration${applied === 1 ? '' : 's'}. The database is up to date.`;
}
