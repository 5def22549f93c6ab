import { basename } from 'node:path';
import type { Database, SenderRow, Suppression } from '@tickmark/delivery';
import { Argument, Option, type Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { operatorName } from '../operator-name.ts';
import { readRecipient, readSuppressions, RECIPIENT_PROBLEM } from '../read-suppressions.ts';
import { withDatabase, type Delivery } from '../with-database.ts';

const ACTIONS = ['list', 'add', 'remove', 'import'] as const;
type Action = (typeof ACTIONS)[number];

/** Listed at most: more of them are a matter for a query. */
const LIST_MAX = 1_000;

/** Written down in one transaction. */
const IMPORT_EVENTS = 1_000;

/** Bad lines that are told one by one. */
const INVALID_MAX = 100;

interface SuppressionOptions {
  sender?: string;
  category?: 'all' | 'marketing';
  reason?: string;
  by?: string;
  json?: true;
}

/** `tickmark suppressions`: who is not written to, beside what people and Twilio say themselves. */
export function addSuppressionsCommand(program: Command, context: CliContext): void {
  const command = program
    .command('suppressions')
    .addArgument(new Argument('[action]', 'what to do').choices(ACTIONS).default('list'))
    .argument('[target]', 'a recipient (+<number> or whatsapp:<CC>.<user id>); with import a CSV file with a column recipient or phone')
    .description('list who is not written to, add or remove somebody, import a file')
    .option('--sender <alias>', 'of this sender alone; default: all senders')
    .addOption(new Option('--category <name>', 'what is not sent; default: add all, remove both').choices(['all', 'marketing'] as const))
    .option('--reason <text>', 'why, for the audit log; to be given unless with list')
    .option('--by <name>', 'who, for the audit log; default: the user of the operating system')
    .option('--json', 'print the result as JSON');
  command.action(async (action: Action, target: string | undefined, options: SuppressionOptions) => {
    const complaint = findComplaint(action, target, options);
    if (complaint !== null) command.error(`error: ${complaint}`);
    await withDatabase(context, async (db, delivery) => {
      const run = { context, db, delivery, options, senders: await findSenders(db, delivery, options.sender) };
      if (action === 'list') return list(run, target ?? null);
      if (action === 'import') return importFile(run, target ?? '');
      return change(run, action, target ?? '');
    });
  });
}

function findComplaint(action: Action, target: string | undefined, { reason, category, sender }: SuppressionOptions): string | null {
  if (action === 'import') {
    if (target === undefined) return 'say which file';
    if (category !== undefined || sender !== undefined) return 'the file says of which sender and category each line is: use its columns';
  } else if (target === undefined ? action !== 'list' : readRecipient(target) === null) return RECIPIENT_PROBLEM;
  return action === 'list' || reason ? null : '--reason is missing: it is kept in the audit log';
}

interface Run {
  context: CliContext;
  db: Database;
  delivery: Delivery;
  options: SuppressionOptions;
  /** Those that are meant. */
  senders: readonly SenderRow[];
}

async function findSenders(db: Database, { listSenders }: Delivery, name: string | undefined): Promise<SenderRow[]> {
  const all = await listSenders(db);
  const found = name === undefined ? all : all.filter(({ alias, address }) => alias === name || address === name);
  if (found.length > 0) return found;
  const known =
    all.length === 0 ? 'none yet: start a worker, which takes them from TWILIO_SENDERS' : all.map(({ alias }) => alias).join(', ');
  throw new CliError('UNKNOWN_SENDER', `There is no such sender. Known senders: ${known}.`);
}

async function list({ context, db, delivery, options, senders }: Run, target: string | null): Promise<void> {
  const senderAddress = options.sender === undefined ? null : (senders[0]?.address ?? null);
  const recipient = target === null ? null : readRecipient(target);
  const found = await delivery.listSuppressions(db, { recipient, senderAddress, limit: LIST_MAX });
  context.writeOut(options.json ? toJson(found) : found.map(describeSuppression).join(''));
  if (found.length === 0) context.writeError('Nobody is suppressed.\n');
  if (found.length === LIST_MAX) context.writeError(`Only the newest ${LIST_MAX} are shown: name a recipient or a sender.\n`);
}

function describeSuppression({ recipient, sender, senderAddress, category, at, source, reason }: Suppression): string {
  return `${recipient}  ${sender ?? senderAddress}  ${category}  since ${at}  ${source}${reason === null ? '' : `: ${reason}`}\n`;
}

async function change({ context, db, delivery, options, senders }: Run, action: 'add' | 'remove', target: string): Promise<void> {
  const { reason = '', by, json, category } = options;
  const suppressed = action === 'add';
  const recipient = readRecipient(target) ?? target;
  const categories = category === undefined ? (suppressed ? (['all'] as const) : (['all', 'marketing'] as const)) : [category];
  const senderAddresses = senders.map(({ address }) => address);
  const events = delivery.suppressionEvents({ recipients: [recipient], senderAddresses, categories, suppressed, reason });
  const aliases = senders.map(({ alias }) => alias);
  const details = { recipient, category: categories.join('+'), senders: aliases.join(',') };
  const audit = { actor: operatorName(by), action: suppressed ? 'suppression_added' : 'suppression_removed', reason, details };
  const { lifted } = await delivery.changeSuppressions(db, events, audit);
  const what = category === 'marketing' ? 'marketing' : 'messages';
  const sentence = suppressed ? `No ${what} will be sent to ${recipient} by` : `${recipient} may be sent ${what} again by`;
  const result = { action, recipient, categories, senders: aliases, ...(suppressed ? {} : { lifted }) };
  context.writeOut(json ? toJson(result) : `${sentence} ${aliases.join(', ')}.\n`);
  if (!suppressed && lifted === 0) context.writeError(`Nothing was kept from ${recipient} by ${aliases.join(', ')} before.\n`);
}

async function importFile({ context, db, delivery, options, senders }: Run, path: string): Promise<void> {
  const { reason = '', by, json } = options;
  const { rows, events, invalid } = readSuppressions(path, senders, Date.now());
  let changed = 0;
  for (let from = 0; from < events.length; from += IMPORT_EVENTS) {
    const part = events.slice(from, from + IMPORT_EVENTS);
    const details = { file: basename(path), events: part.length };
    const audit = { actor: operatorName(by), action: 'suppressions_imported', reason, details };
    changed += (await delivery.changeSuppressions(db, part, audit)).changed;
  }
  const result = { rows, imported: rows - invalid.length, changed, invalid };
  context.writeOut(json ? toJson(result) : `${result.imported} of ${rows} rows imported, ${changed} suppressions new or newer.\n`);
  if (invalid.length === 0) return;
  const told = json ? [] : invalid.map(({ line, problem }) => `line ${line}: ${problem}\n`);
  context.writeError(told.slice(0, INVALID_MAX).join(''));
  if (told.length > INVALID_MAX) context.writeError(`and ${told.length - INVALID_MAX} lines more\n`);
  throw new CliError(
    'INVALID_ROWS',
    `${invalid.length} rows were not imported: mend them and import the file again, which is safe to repeat.`,
  );
}

function toJson(result: object): string {
  return `${JSON.stringify(result)}\n`;
}
