import { basename } from 'node:path';
import { ConfigError, loadConfig } from '@tickmark/runtime';
import type { Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { operatorName } from '../operator-name.ts';
import { withDatabase } from '../with-database.ts';

const KEEP_DAYS_DEFAULT = '7';

interface RestoreOptions {
  file?: string[];
  all?: true;
  dryRun?: true;
  keepDays: string;
  reason?: string;
  by?: string;
  json?: true;
}

/** `tickmark restore`: puts rows back that the cleanup archived and deleted. */
export function addRestoreCommand(program: Command, context: CliContext): void {
  const command = program
    .command('restore')
    .description('verify archives of ARCHIVE_DIR and put their rows back')
    .option('--file <name...>', 'these archives: their files, or the names that their manifests give')
    .option('--all', 'every archive')
    .option('--dry-run', 'only verify and count')
    .option('--keep-days <days>', 'for so long the cleanup deletes no row: these are older than its period', KEEP_DAYS_DEFAULT)
    .option('--reason <text>', 'why, for the audit log; to be given unless with --dry-run')
    .option('--by <name>', 'who, for the audit log; default: the user of the operating system')
    .option('--json', 'print the result as JSON');
  command.action(async (options: RestoreOptions) => {
    const complaint = findComplaint(options);
    if (complaint !== null) command.error(`error: ${complaint}`);
    await restore(context, options);
  });
}

function findComplaint({ file, all, dryRun, keepDays, reason }: RestoreOptions): string | null {
  if ((file === undefined) === (all === undefined)) return 'say --all, or which archives with --file';
  if (!/^\d{1,4}$/.test(keepDays)) return '--keep-days is a number of days';
  return dryRun || reason ? null : '--reason is missing: it is kept in the audit log';
}

async function restore(context: CliContext, { file, dryRun, keepDays, reason = '', by, json }: RestoreOptions): Promise<void> {
  const { ARCHIVE_DIR: dir } = loadConfig(['ARCHIVE_DIR'], { env: context.env });
  if (dir === undefined) throw new ConfigError(['ARCHIVE_DIR is missing: set it to the folder that the workers archive in']);
  await withDatabase(context, async (db, { createArchive, restoreArchive }) => {
    const answer = await restoreArchive(
      { db, archive: createArchive({ dir }) },
      {
        names: file?.map(nameOf) ?? null,
        dryRun: dryRun === true,
        keepDays: Number(keepDays),
        actor: operatorName(by),
        reason,
        onProgress: ({ name, records }) => context.writeError(`${name}: ${records} records\n`),
      },
    );
    if (answer.kind === 'busy') throw new CliError('BUSY', 'A cleanup or an erasure is under way: try again when it has ended.');
    if (answer.kind === 'unknown_names') throw new CliError('NOT_FOUND', `There is no archive ${answer.names.join(', ')} in ${dir}.`);
    const { files, records, restored, present, unequal, keptUntil, damaged } = answer;
    const done = dryRun
      ? `${files} archives with ${records} records are whole.`
      : `${restored} of ${records} records put back, ${present} were there already. No row is cleaned up until ${keptUntil}.` +
        (unequal === 0 ? '' : ` ${unequal} differ from what was archived, because the tables have other columns now.`);
    context.writeOut(json ? `${JSON.stringify({ files, records, restored, present, unequal, keptUntil, damaged })}\n` : `${done}\n`);
    if (damaged.length > 0)
      throw new CliError('DAMAGED', `Damaged, and not put back: ${damaged.join(', ')}. Take them from a copy of ARCHIVE_DIR.`);
  });
}

function nameOf(file: string): string {
  return basename(file).replace(/(\.\d+\.ndjson\.gz|\.manifest\.json)$/, '');
}
