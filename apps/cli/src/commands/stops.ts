import type { Database, EndStop, StopTarget } from '@tickmark/delivery';
import { Argument, type Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { operatorName } from '../operator-name.ts';
import { withDatabase, type Delivery } from '../with-database.ts';

const SCOPES = ['all', 'sender', 'campaign', 'template'] as const;
type Scope = (typeof SCOPES)[number];

interface StopOptions {
  reason: string;
  by?: string;
  json?: true;
}

/** `tickmark pause` and `tickmark resume`: the operator's stop switch. */
export function addStopCommands(program: Command, context: CliContext): void {
  addStopCommand(program, 'pause', 'stop sending: everything, a sender, a campaign or a template', (target, options) =>
    pauseSending(context, target, options),
  );
  addStopCommand(program, 'resume', 'let it be sent again, and close its circuit breakers', (target, options) =>
    resumeSending(context, target, options),
  );
}

function addStopCommand(
  program: Command,
  name: string,
  description: string,
  run: (target: StopTarget, options: StopOptions) => Promise<void>,
): void {
  const command = program
    .command(name)
    .addArgument(new Argument('<scope>', 'what is meant').choices(SCOPES))
    .argument('[target]', 'alias of the sender, name of the campaign, or content sid (HX…) of the template; nothing for all')
    .description(description)
    .requiredOption('--reason <text>', 'why, for the audit log')
    .option('--by <name>', 'who, for the audit log; default: the user of the operating system')
    .option('--json', 'print the result as JSON');
  command.action(async (scope: Scope, target: string | undefined, options: StopOptions) => {
    const complaint = findComplaint(scope, target);
    if (complaint !== null) command.error(`error: ${complaint}`);
    await run({ scope, target: target ?? '*' }, options);
  });
}

function findComplaint(scope: Scope, target: string | undefined): string | null {
  if (scope === 'all') return target === undefined ? null : `"all" takes no target: leave "${target}" out`;
  if (target === undefined) return `say which ${scope}`;
  return scope === 'template' && !/^HX[0-9a-f]{32}$/i.test(target) ? 'a template is named by its content sid: HX and 32 hex digits' : null;
}

async function pauseSending(context: CliContext, stop: StopTarget, { reason, by, json }: StopOptions): Promise<void> {
  await withDatabase(context, async (db, delivery) => {
    if (stop.scope === 'sender') assertSender(await delivery.listSenders(db), stop.target);
    const { opened } = await delivery.openStop(db, { ...stop, actor: operatorName(by), reason, forMs: null });
    context.writeError(
      `${opened ? 'The stop is set' : 'It was stopped already'}: waiting until no call of it can be under way any more.\n`,
    );
    const startedMs = performance.now();
    const { provenBy } = await delivery.awaitStopEffective(db, stop);
    const waitedMs = Math.round(performance.now() - startedMs);
    const sentence = `Paused ${describe(stop)}: nothing of it leaves any more.`;
    context.writeOut(json ? toJson({ ...stop, state: 'paused', opened, provenBy, waitedMs }) : `${sentence}\n`);
  });
}

async function resumeSending(context: CliContext, stop: StopTarget, { reason, by, json }: StopOptions): Promise<void> {
  await withDatabase(context, async (db, delivery) => {
    const end = (target: StopTarget, source: EndStop['source']) =>
      delivery.endStop(db, { ...target, source, actor: operatorName(by), reason });
    const operator = await end(stop, 'operator');
    const breakers = [await end(stop, 'breaker')];
    // Whoever lets everything go means the account too, which has no name of its own that a person would know.
    if (stop.scope === 'all') for (const account of await listAccounts(db, delivery)) breakers.push(await end(account, 'breaker'));
    const result = {
      ended: { operator: operator.ended, breakers: breakers.filter((breaker) => breaker.ended).length },
      unparked: [operator, ...breakers].reduce((sum, { unparked }) => sum + unparked, 0),
    };
    for (const hint of await findOtherStops(db, delivery, stop)) context.writeError(`${hint}\n`);
    context.writeOut(json ? toJson({ ...stop, state: 'active', ...result }) : `${describeResumed(stop, result)}\n`);
  });
}

/** What else keeps the target from sending, so that nobody wonders. */
async function findOtherStops(db: Database, { listSenders, listStops }: Delivery, { scope, target }: StopTarget): Promise<string[]> {
  const hints: string[] = [];
  const senders = scope === 'sender' ? await listSenders(db) : [];
  if (senders.some(({ alias, state }) => alias === target && state === 'paused')) {
    hints.push(`The state of sender "${target}" in the table senders is "paused": set it to "active".`);
  }
  const stops = await listStops(db);
  if (stops.some((stop) => stop.scope === 'all')) hints.push('All sending is still stopped: run tickmark resume all.');
  // Which credentials the workers have is not known here.
  else if (stops.some((stop) => stop.scope === 'account')) hints.push(ACCOUNT_MAY_BE_STOPPED);
  return hints;
}

const ACCOUNT_MAY_BE_STOPPED =
  'All sending may be stopped: the circuit breaker of an account is open, unless it is of credentials that were replaced; tickmark resume all closes it.';

async function listAccounts(db: Database, { listStops }: Delivery): Promise<StopTarget[]> {
  return (await listStops(db)).filter(({ scope, source }) => scope === 'account' && source === 'breaker');
}

/** A stop of a sender that does not exist would let an operator believe that something was stopped. */
function assertSender(senders: readonly { alias: string }[], alias: string): void {
  if (senders.some((sender) => sender.alias === alias)) return;
  const known = senders.map((sender) => sender.alias).join(', ');
  throw new CliError('UNKNOWN_SENDER', `There is no sender "${alias}". Known senders: ${known === '' ? 'none' : known}.`);
}

function describe({ scope, target }: StopTarget): string {
  return scope === 'all' ? 'all sending' : `${scope} "${target}"`;
}

function describeResumed(
  stop: StopTarget,
  { ended, unparked }: { ended: { operator: boolean; breakers: number }; unparked: number },
): string {
  if (!ended.operator && ended.breakers === 0) return `Nothing had stopped ${describe(stop)}.`;
  const breaker = ended.breakers > 0 ? ', its circuit breaker closed' : '';
  const waiting = unparked > 0 ? `; ${unparked} waiting message${unparked === 1 ? ' is' : 's are'} due now` : '';
  return `Resumed ${describe(stop)}${breaker}${waiting}.`;
}

function toJson(result: object): string {
  return `${JSON.stringify(result)}\n`;
}
