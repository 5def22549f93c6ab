import type { DeadLetterShown } from '@tickmark/delivery';
import { DEAD_LETTER_QUEUES } from '@tickmark/domain';
import { Argument, type Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { operatorName } from '../operator-name.ts';
import { withDatabase } from '../with-database.ts';

const ACTIONS = ['list', 'retry', 'discard'] as const;
type Action = (typeof ACTIONS)[number];

/** Listed at most: nobody judges more of them one by one. */
const LIST_MAX = 500;

/** Of a reason: enough of what the database said. */
const REASON_CHARACTERS_MAX = 200;

interface DeadLetterOptions {
  queue?: string;
  all?: true;
  reason?: string;
  by?: string;
  json?: true;
}

/** `tickmark dead-letters`: what could not be carried out, and another try for it once its cause is mended. */
export function addDeadLettersCommand(program: Command, context: CliContext): void {
  const command = program
    .command('dead-letters')
    .addArgument(
      new Argument('[action]', 'list; retry: give back to their queue; discard: delete for good').choices(ACTIONS).default('list'),
    )
    .argument('[ids...]', 'numbers of dead letters, as the list shows them')
    .description('list what could not be carried out, try it again or discard it')
    .option('--queue <name>', `only those of one queue: ${DEAD_LETTER_QUEUES.join(', ')}`)
    .option('--all', 'with retry or discard: all of them, or all of --queue')
    .option('--reason <text>', 'why, for the audit log')
    .option('--by <name>', 'who, for the audit log; default: the user of the operating system')
    .option('--json', 'print the result as JSON');
  command.action(async (action: Action, ids: string[], options: DeadLetterOptions) => {
    const complaint = findComplaint(action, ids, options);
    if (complaint !== null) command.error(`error: ${complaint}`);
    if (action === 'list') return listLetters(context, options);
    await changeLetters(context, action, ids.length === 0 ? null : ids.map(Number), options);
  });
}

function findComplaint(action: Action, ids: readonly string[], { queue, all, reason }: DeadLetterOptions): string | null {
  if (queue !== undefined && !DEAD_LETTER_QUEUES.some((name) => name === queue)) {
    return `no queue "${queue}" keeps dead letters: ${DEAD_LETTER_QUEUES.join(', ')} do`;
  }
  if (action === 'list') return ids.length === 0 && !all ? null : 'list takes neither numbers nor --all: leave them out';
  if (ids.some((id) => !/^\d{1,15}$/.test(id))) return 'a dead letter is named by its number, as tickmark dead-letters shows it';
  if ((ids.length === 0) === (all === undefined)) return `say which: numbers of dead letters, or --all`;
  return reason ? null : '--reason is missing: it is kept in the audit log';
}

async function listLetters(context: CliContext, { queue, json }: DeadLetterOptions): Promise<void> {
  await withDatabase(context, async (db, delivery) => {
    const letters = (await delivery.listDeadLetters(db, { queue: queue ?? null, limit: LIST_MAX })).map(withShortReason);
    context.writeOut(json ? `${JSON.stringify(letters)}\n` : letters.map(describeLetter).join(''));
    if (letters.length === LIST_MAX) context.writeError(`Only the oldest ${LIST_MAX} are shown.\n`);
    context.writeError(letters.length === 0 ? 'There are no dead letters.\n' : NEXT_STEPS);
  });
}

const NEXT_STEPS =
  'Mend the cause that the reason names, then: tickmark dead-letters retry <number…> --reason <text>. What is of no use any more: discard instead of retry.\n';

/** What the database says of a value may quote it, and the value may be somebody's number. */
function withShortReason(letter: DeadLetterShown): DeadLetterShown {
  return { ...letter, reason: letter.reason.slice(0, REASON_CHARACTERS_MAX).replaceAll(/\+\d{6,}/g, '+…') };
}

function describeLetter({ id, queue, keptAt, reason, messageId, messageSid, retryRequestedAt }: DeadLetterShown): string {
  const about = [messageId, messageSid].filter((name) => name !== null).join(' ');
  const state = retryRequestedAt === null ? '' : `  tried again as soon as a worker gets to it (asked for ${retryRequestedAt})`;
  return `${id}  ${queue}  ${keptAt}  ${about}${state}\n  ${reason}\n`;
}

async function changeLetters(
  context: CliContext,
  action: 'retry' | 'discard',
  ids: readonly number[] | null,
  { queue, reason = '', by, json }: DeadLetterOptions,
): Promise<void> {
  await withDatabase(context, async (db, delivery) => {
    const change = action === 'retry' ? delivery.requestRetry : delivery.discardDeadLetters;
    const changed = await change(db, { ids, queue: queue ?? null }, { actor: operatorName(by), reason });
    const missing = (ids ?? []).filter((id) => !changed.includes(id));
    if (missing.length > 0 && changed.length === 0) throw notThere(missing);
    if (missing.length > 0) context.writeError(`${notThere(missing).message}\n`);
    context.writeOut(json ? `${JSON.stringify({ action, ids: changed })}\n` : `${DONE[action](changed.length)}\n`);
  });
}

function notThere(ids: readonly number[]): CliError {
  return new CliError('NOT_FOUND', `Not there (any more): ${ids.join(', ')}. tickmark dead-letters lists those that are.`);
}

const DONE = {
  retry: (count: number) =>
    count === 0
      ? 'There are no dead letters to try again.'
      : `${countLetters(count)} will be tried again within seconds, while a worker runs. One that fails again is kept again, under a new number: tickmark dead-letters shows it.`,
  discard: (count: number) => (count === 0 ? 'There are no dead letters to discard.' : `${countLetters(count)} discarded for good.`),
};

function countLetters(count: number): string {
  return `${count} dead letter${count === 1 ? '' : 's'}`;
}
