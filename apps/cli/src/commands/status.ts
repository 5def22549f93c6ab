import type { Command } from 'commander';
import { z } from 'zod';
import type { CliContext } from '../cli-context.ts';
import { CliError } from '../cli-error.ts';
import { getFromConsole } from '../console-client.ts';

/** The part of the console's answer that is shown; what a newer console adds passes through to `--json`. */
const messageSchema = z.looseObject({
  id: z.string(),
  status: z.string(),
  messageSid: z.string().nullable(),
  sender: z.string().nullable(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  attempts: z.number(),
  errorCode: z.number().nullable(),
  error: z.looseObject({ meaning: z.string(), cause: z.string(), remedy: z.string() }).nullable(),
  contradicted: z.boolean(),
  timeline: z.array(
    z.looseObject({
      at: z.string(),
      kind: z.string(),
      status: z.string().nullable(),
      errorCode: z.number().nullable(),
      attempt: z.number().nullable(),
    }),
  ),
});
type Message = z.infer<typeof messageSchema>;

export function addStatusCommand(program: Command, context: CliContext): void {
  program
    .command('status')
    .argument('<id|sid>', 'id of the message, or its SID at Twilio')
    .description('tell what became of one message')
    .option('--json', 'print the answer of the console as it is')
    .action(async (idOrSid: string, { json }: { json?: true }) => {
      const answer = await getFromConsole(context.env, `/v1/messages/${encodeURIComponent(idOrSid)}`);
      context.writeOut(json ? `${JSON.stringify(answer)}\n` : describeMessage(parseMessage(answer)));
    });
}

function parseMessage(answer: unknown): Message {
  const parsed = messageSchema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new CliError(
    'NO_CONSOLE',
    'The answer is not one of a console of this version. Check TICKMARK_CONSOLE_URL; --json prints it as it is.',
  );
}

function describeMessage(message: Message): string {
  const fields: [string, string | null][] = [
    ['message', message.id],
    ['status', message.contradicted ? `${message.status} (contradicted by another status)` : message.status],
    ['sid', message.messageSid],
    ['from', message.sender && message.from ? `${message.from} (${message.sender})` : (message.from ?? message.sender)],
    ['to', message.to],
    ['attempts', String(message.attempts)],
    ['error', message.errorCode === null ? null : [message.errorCode, message.error?.meaning].filter(Boolean).join(': ')],
    ['cause', message.error?.cause ?? null],
    ['remedy', message.error?.remedy ?? null],
  ];
  const lines = fields.flatMap(([name, value]) => (value === null ? [] : [`${name.padEnd(10)}${value}`]));
  return `${[...lines, '', ...message.timeline.map(describeEntry)].join('\n')}\n`;
}

function describeEntry({ at, kind, status, errorCode, attempt }: Message['timeline'][number]): string {
  const detail = [attempt === null ? null : `attempt ${attempt}`, errorCode === null ? null : `error ${errorCode}`]
    .filter(Boolean)
    .join(', ');
  return `${at}  ${kind.padEnd(11)}${(status ?? '').padEnd(12)}${detail}`.trimEnd();
}
