import type { Database, EndStop, SendStop, StopTarget } from '@tickmark/delivery';
import { Argument, type Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { operatorName } from '../operator-name.ts';
import { withDatabase, type Delivery } from '../with-database.ts';

const SCOPES = ['all', 'sender', 'campaign', 'template'] as const;
type Scope = (typeof SCOPES)[number];

interface StopOptions {
  list?: true;
  reason?: string;
  by?: string;
  json?: true;
}

/** `tickmark pause` and `tickmark resume`: the operator's stop switch. */
export function addStopCommands(program: Command, context: CliContext): void {
  const pauseCommand = addStopCommand(program, 'pause', 'stop sending: all, a sender, a campaign or a template');
  pauseCommand.option('--list', 'list what is stopped, by whom or by which error code');
  pauseCommand.action(async (scope: Scope | undefined, target: string | undefined, options: StopOptions) => {
    if (options.list && scope === undefined) return listStopped(context, options);
    if (options.list) pauseCommand.error('error: --list takes no scope: leave it out');
    await pauseSending(context, readStop(pauseCommand, scope, target, options));
  });
  const resumeCommand = addStopCommand(program, 'resume', 'let it be sent again, and close its circuit breakers');
  resumeCommand.action((scope: Scope | undefined, target: string | undefined, options: StopOptions) =>
    resumeSending(context, readStop(resumeCommand, scope, target, options)),
  );
}

function addStopCommand(program: Command, name: string, description: string): Command {
  return program
    .command(name)
    .addArgument(new Argument('[scope]', 'what is meant').choices(SCOPES))
    .argument('[target]', 'alias of the sender, name of the campaign, or content sid (HX…) of the template; nothing for all')
    .description(description)
    .option('--reason <text>', 'why, for the audit log (required)')
    .option('--by <name>', 'who, for the audit log; default: the user of the operating system')
    .option('--json', 'print the result as JSON');
}

interface StopRequest {
  stop: StopTarget;
  actor: string;
  reason: string;
  json: true | undefined;
}

/** Ends the command with its usage when something is missing or wrong. */
function readStop(command: Command, scope: Scope | undefined, target: string | undefined, { reason, by, json }: StopOptions): StopRequest {
  const complaint = findComplaint(scope, target, reason);
  if (complaint !== null) command.error(`error: ${complaint}`);
  return { stop: { scope: scope ?? 'all', target: target ?? '*' }, actor: operatorName(by), reason: reason ?? '', json };
}

function findComplaint(scope: Scope | undefined, target: string | undefined, reason: string | undefined): string | null {
  if (scope === undefined) return `say what is meant: ${SCOPES.join(', ')}`;
  if (!reason) return '--reason is missing: it is kept in the audit log';
  if (scope === 'all') return target === undefined ? null : `"all" takes no target: leave "${target}" out`;
  if (target === undefined) return `say which ${scope}`;
  return scope === 'template' && !/^HX[0-9a-f]{32}$/i.test(target) ? 'a template is named by its content sid: HX and 32 hex digits' : null;
}

async function listStopped(context: CliContext, { json }: StopOptions): Promise<void> {
  await withDatabase(context, async (db, delivery) => {
    const stops = await delivery.listStops(db);
    const paused = (await delivery.listSenders(db)).filter(({ state }) => state === 'paused');
    const byState = paused.map(({ alias }) => ({ scope: 'sender', target: alias, source: 'state' }));
    context.writeOut(json ? toJson([...stops, ...byState]) : [...stops.map(describeStop), ...paused.map(describePaused)].join(''));
    if (stops.length + paused.length === 0) context.writeError('Nothing is stopped.\n');
  });
}

function describeStop({ scope, target, source, errorCode, reason, actor, openedAt, until }: SendStop): string {
  const cause = source === 'operator' ? `${actor}: ${reason ?? ''}` : `circuit breaker${errorCode === null ? '' : `, error ${errorCode}`}`;
  const end = until === null ? 'until it is resumed or repaired' : `until ${until.toISOString()}`;
  return `${describe({ scope, target })}  since ${openedAt.toISOString()}  ${end}  ${cause}\n`;
}

const describePaused = ({ alias }: { alias: string }) =>
  `${describe({ scope: 'sender', target: alias })}  until its state is active  its state in the table senders is "paused": POST /v1/senders\n`;

async function pauseSending(context: CliContext, { stop, actor, reason, json }: StopRequest): Promise<void> {
  await withDatabase(context, async (db, delivery) => {
    if (stop.scope === 'sender') assertSender(await delivery.listSenders(db), stop.target);
    const { opened } = await delivery.openStop(db, { ...stop, actor, reason, forMs: null });
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

async function resumeSending(context: CliContext, { stop, actor, reason, json }: StopRequest): Promise<void> {
  await withDatabase(context, async (db, delivery) => {
    const end = (target: StopTarget, source: EndStop['source']) => delivery.endStop(db, { ...target, source, actor, reason });
    const operator = await end(stop, 'operator');
    const breakers = [await end(stop, 'breaker')];
    // Whoever lets everything go means the account too, which has no name of its own that a person would know.
    if (stop.scope === 'all') for (const account of await listAccounts(db, delivery)) breakers.push(await end(account, 'breaker'));
    const result = {
      ended: { operator: operator.ended, breakers: breakers.filter((breaker) => breaker.ended).length },
      unparked: [operator, ...breakers].reduce((sum, { unparked }) => sum + unparked, 0),
    };
    for (const hint of await findOtherStops(db, delivery, stop)) context.writeError(`${hint}\n`);
    if (!result.ended.operator && result.ended.breakers === 0) await tellWhatIsStopped(context, db, delivery, stop);
    context.writeOut(json ? toJson({ ...stop, state: 'active', ...result }) : `${describeResumed(stop, result)}\n`);
  });
}

/** Whoever mistyped a name would believe that it goes on now. */
async function tellWhatIsStopped(context: CliContext, db: Database, { listStops }: Delivery, { scope }: StopTarget): Promise<void> {
  const stopped = (await listStops(db)).filter((stop) => stop.scope === scope);
  if (stopped.length > 0) context.writeError(`Stopped are: ${stopped.map(describe).join(', ')}.\n`);
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

function describe({ scope, target }: Pick<StopTarget, 'scope' | 'target'>): string {
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
