import type { Database, UnknownMessage } from '@tickmark/delivery';
import { Argument, type Command } from 'commander';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { operatorName } from '../operator-name.ts';
import { withDatabase, type Delivery } from '../with-database.ts';

const ACTIONS = ['adopt', 'resend', 'close'] as const;
type Action = (typeof ACTIONS)[number];

/** Listed at most: nobody decides about more of them one by one. */
const LIST_MAX = 500;

interface ResolveOptions {
  list?: true;
  sid?: string;
  reason?: string;
  by?: string;
  json?: true;
}

interface Resolution {
  id: string;
  action: Action;
  sid: string | undefined;
  actor: string;
  reason: string;
}

/** `tickmark resolve`: a person decides about messages of which nobody knows whether Twilio has them. */
export function addResolveCommand(program: Command, context: CliContext): void {
  const command = program
    .command('resolve')
    .argument('[id]', 'id of a message whose outcome is unknown')
    .addArgument(
      new Argument('[action]', 'adopt: it is the message of --sid; resend: it was never created; close: give it up').choices(ACTIONS),
    )
    .description('decide about a message whose outcome is unknown, or list them')
    .option('--list', 'list the messages whose outcome is unknown, the oldest first')
    .option('--sid <sid>', 'with adopt: the SID that Twilio gave the message (SM… or MM…)')
    .option('--reason <text>', 'why, for the audit log')
    .option('--by <name>', 'who, for the audit log; default: the user of the operating system')
    .option('--json', 'print the result as JSON');
  command.action(async (id: string | undefined, action: Action | undefined, options: ResolveOptions) => {
    const complaint = findComplaint(id, action, options);
    if (complaint !== null) command.error(`error: ${complaint}`);
    if (id === undefined || action === undefined) return listUnknown(context, options);
    const { sid, reason = '', by } = options;
    await resolveUnknown(context, { id, action, sid, actor: operatorName(by), reason }, options.json);
  });
}

function findComplaint(id: string | undefined, action: Action | undefined, { list, sid, reason }: ResolveOptions): string | null {
  if (list) return id === undefined ? null : '--list takes no id: leave it out';
  if (id === undefined) return 'say which message, or --list to see them';
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) return 'the id of a message is a UUID, as tickmark resolve --list shows it';
  if (action === undefined) return `say what to do: ${ACTIONS.join(', ')}`;
  if (!reason) return '--reason is missing: it is kept in the audit log';
  if (action !== 'adopt') return sid === undefined ? null : `--sid belongs to adopt, not to ${action}`;
  return sid !== undefined && /^(SM|MM)[0-9a-f]{32}$/.test(sid)
    ? null
    : 'adopt needs --sid with the SID that Twilio shows: SM or MM and 32 hex digits';
}

async function listUnknown(context: CliContext, { json }: ResolveOptions): Promise<void> {
  await withDatabase(context, async (db, delivery) => {
    const messages = await delivery.listUnknown(db, { limit: LIST_MAX });
    context.writeOut(json ? `${JSON.stringify(messages)}\n` : messages.map(describeUnknown).join(''));
    if (messages.length === 0) context.writeError('No message has an unknown outcome.\n');
    if (messages.length === LIST_MAX) context.writeError(`Only the oldest ${LIST_MAX} are shown.\n`);
  });
}

function describeUnknown({ id, claimedAt, sender, to, looks, absences, candidates, resolvable }: UnknownMessage): string {
  const proof = `${looks} look${looks === 1 ? '' : 's'} at Twilio, ${absences} proved that nothing was created`;
  const lines = [
    `${id}  called ${claimedAt ?? 'at an unknown time'}  ${sender ?? ''} to ${to ?? 'an erased number'}`,
    `  ${proof}${resolvable ? '' : '; younger than five minutes: its outcome may still come by itself'}`,
    ...candidates.map(({ sid, status, createdAt }) => `  could be ${sid}  ${status}  created ${createdAt}`),
  ];
  return `${lines.join('\n')}\n`;
}

async function resolveUnknown(context: CliContext, resolution: Resolution, json: true | undefined): Promise<void> {
  await withDatabase(context, async (db, delivery) => {
    const { id, action } = resolution;
    const message = await delivery.getUnknown(db, id);
    if (!message) throw new CliError('NOT_FOUND', `There is no message ${id}. tickmark resolve --list shows those that can be resolved.`);
    if (message.status !== 'unknown') {
      throw new CliError(
        'NOT_UNKNOWN',
        `The message is ${message.status}: there is nothing to resolve. tickmark status ${id} tells its story.`,
      );
    }
    await ACT[action](db, delivery, message, resolution);
    const after = await delivery.getUnknown(db, id);
    context.writeOut(json ? `${JSON.stringify({ id, action, status: after?.status ?? null })}\n` : `${DONE[action]}\n`);
  });
}

const DONE: Record<Action, string> = {
  adopt: 'Adopted: the message has this SID, and what Twilio tells of it counts from now on.',
  resend: 'Resent: the message waits to be sent once more.',
  close: 'Closed: the message counts as failed. What is heard of it later still wins.',
};

type Act = (db: Database, delivery: Delivery, message: UnknownMessage, resolution: Resolution) => Promise<void>;

const ACT: Record<Action, Act> = {
  async adopt(db, { adoptByOperator }, { id, attempt }, { sid = '', actor, reason }) {
    const adoption = await adoptByOperator(db, { id, attempt, messageSid: sid, actor, reason });
    if (adoption === 'taken') {
      throw new CliError('SID_TAKEN', `${sid} is the SID of another message: tickmark status ${sid} tells of which. Check the SID.`);
    }
    if (adoption === 'sending') {
      throw new CliError(
        'SENDING',
        'Another message of the same sender to the same person is being sent right now, and the SID might be its own. Try again in a minute.',
      );
    }
    if (adoption === 'not_unknown') throw resolvedMeanwhile(id);
  },
  async resend(db, { resendUnknown, ABSENCES_MIN }, message, { actor, reason }) {
    assertOldEnough(message);
    if (await resendUnknown(db, { id: message.id, attempt: message.attempt, by: { actor, reason } })) return;
    if (message.absences >= ABSENCES_MIN) throw resolvedMeanwhile(message.id);
    throw new CliError(
      'ABSENCE_UNPROVEN',
      `Not resent: ${message.absences} of the ${ABSENCES_MIN} looks that are needed proved that Twilio has no such message, so the person might get it twice. ` +
        'Look for it in the console of Twilio: adopt it if it is there, otherwise close it and send a new message.',
    );
  },
  async close(db, { closeUnknown }, message, { actor, reason }) {
    assertOldEnough(message);
    if (!(await closeUnknown(db, { id: message.id, attempt: message.attempt, actor, reason }))) throw resolvedMeanwhile(message.id);
  },
};

function assertOldEnough({ resolvable }: UnknownMessage): void {
  if (resolvable) return;
  throw new CliError(
    'TOO_YOUNG',
    'The call was made less than five minutes ago: its outcome may still come by itself. Try again after that.',
  );
}

function resolvedMeanwhile(id: string): CliError {
  return new CliError('NOT_UNKNOWN', `The message was resolved in the meantime. tickmark status ${id} tells how.`);
}
