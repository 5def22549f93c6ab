import { InvalidArgumentError, type Command } from 'commander';
import { z } from 'zod';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { followConsoleTask, postToConsole } from '../console-client.ts';

const skippedSchema = z.array(z.looseObject({ id: z.string(), why: z.string() }));

const choiceSchema = z.looseObject({
  taskId: z.string().optional(),
  matched: z.number(),
  toSend: z.number(),
  skipped: skippedSchema,
  skippedCount: z.number(),
  complete: z.boolean(),
});

/** What the task did. */
const madeSchema = z.looseObject({ made: z.number(), skipped: skippedSchema, skippedCount: z.number() });

const FILTERS = {
  to: 'recipients',
  from: 'aliases or addresses of senders',
  status: 'failed, undelivered or expired; default all three',
  errorCode: 'error codes of Twilio',
  producer: 'names of API keys',
  campaign: 'campaigns',
} as const;

type Filter = Partial<Record<keyof typeof FILTERS, string[]>> & { since?: string; until?: string };

interface RetryOptions extends Filter {
  maxCount?: number;
  dryRun?: boolean;
  force?: boolean;
  reason?: string;
  json?: true;
}

/** `tickmark retry`: sends failed messages again, as new messages. */
export function addRetryCommand(program: Command, context: CliContext): void {
  const command = program
    .command('retry')
    .argument('[id]', 'id of one message, or its SID at Twilio')
    .description('send a failed message again, or all that a filter means')
    .option('--dry-run', 'only say what would be sent again')
    .option('--force', 'also what most likely fails again, and what may have arrived')
    .option('--max-count <n>', 'new messages at most, 10,000 at most; default 1,000', parseCount)
    .option('--reason <text>', 'why, for the audit log')
    .option('--json', 'print the result as JSON');
  for (const [name, what] of Object.entries(FILTERS)) command.option(`--${toFlag(name)} <value...>`, what);
  command.option('--since <time>', 'stored at this time or later, such as 2026-01-31T08:00:00Z').option('--until <time>', 'stored before');
  command.action(async (id: string | undefined, options: RetryOptions) => {
    const filter = pickFilter(options);
    const complaint = findComplaint(id, filter, options);
    if (complaint !== null) command.error(`error: ${complaint}`);
    if (id === undefined) await retryMany(context, filter, options);
    else await retryOne(context, id, options);
  });
}

const toFlag = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

function parseCount(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('it is a number from 1 to 10000.');
}

function pickFilter(options: RetryOptions): Filter {
  const names = [...Object.keys(FILTERS), 'since', 'until'] as (keyof Filter)[];
  return Object.fromEntries(names.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]])));
}

function findComplaint(id: string | undefined, filter: Filter, { dryRun, reason, maxCount }: RetryOptions): string | null {
  const isFiltered = Object.keys(filter).length > 0;
  if (id === undefined && !isFiltered) return 'say which message, or a filter such as --campaign';
  if (id !== undefined && (isFiltered || dryRun || maxCount !== undefined))
    return 'filters, --dry-run and --max-count do not go with an id';
  return reason || dryRun ? null : '--reason is missing: it is kept in the audit log';
}

async function retryOne(context: CliContext, id: string, { force = false, reason, json }: RetryOptions): Promise<void> {
  const answer = await postToConsole(context.env, `/v1/messages/${encodeURIComponent(id)}/retry`, { force, reason });
  const { taskId, retryId } = z.looseObject({ taskId: z.string(), retryId: z.string() }).parse(answer);
  const result = madeSchema.parse(await followConsoleTask(context, taskId));
  // The task judges anew: meanwhile it may have been canceled, or its recipient suppressed.
  if (result.made === 0) throw new CliError('NOT_RETRIED', `${id} was not sent again: ${result.skipped[0]?.why ?? 'it is gone'}.`);
  if (json) context.writeOut(`${JSON.stringify({ taskId, retryId, ...result })}\n`);
  else context.writeOut(`Sent again as ${retryId}: tickmark status ${retryId} tells what becomes of it.\n`);
}

async function retryMany(context: CliContext, filter: Filter, options: RetryOptions): Promise<void> {
  const { dryRun = false, force = false, maxCount, reason, json } = options;
  const asked = { filter, dryRun, force, ...(maxCount !== undefined && { maxCount }), ...(reason !== undefined && { reason }) };
  const choice = choiceSchema.parse(await postToConsole(context.env, '/v1/messages/retry', asked));
  const result = choice.taskId === undefined ? null : madeSchema.parse(await followConsoleTask(context, choice.taskId));
  if (json) return void context.writeOut(`${JSON.stringify({ ...choice, result })}\n`);
  const { matched, toSend, skippedCount, skipped, complete } = choice;
  const verb = dryRun ? 'would be sent again' : 'are sent again';
  const listed = [...skipped, ...(result?.skipped ?? [])];
  context.writeOut(`${result?.made ?? toSend} of ${matched} messages ${verb}, ${skippedCount + (result?.skippedCount ?? 0)} are skipped\n`);
  context.writeOut(listed.map(({ id, why }) => `  ${id}  ${why}\n`).join(''));
  if (!complete)
    context.writeError('There may be more that fit: run this again afterwards, or narrow the time with --since and --until.\n');
}
