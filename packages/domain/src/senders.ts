import { createHash } from 'node:crypto';

/** A WhatsApp sender or a Messaging Service that we send from. */
export interface Sender {
  /** Names the sender's queue and its metric label; never a phone number. */
  alias: string;
  /** `whatsapp:+E164` or `MG` + 32 hex. */
  address: string;
  /** Messages per second that Twilio allows this sender. */
  mps: number;
}

const ALIAS = /^[a-z0-9][a-z0-9-]{0,31}$/;
const ADDRESS = /^(whatsapp:\+[1-9]\d{6,14}|MG[0-9a-fA-F]{32})$/;
const MPS = /^\d{1,9}(\.\d{1,9})?$/;

/** Aliases name queues and metric labels, which hold no phone numbers; those have seven digits or more. */
const PHONE_LIKE = /\d{7}/;

/** A sender's queue is `send-<alias>`, and the queue of outcomes that could not be recorded is called `send-outcome`. */
const RESERVED_ALIAS = 'outcome';

/**
 * Reads `TWILIO_SENDERS` (`[alias@]address=mps,…`).
 *
 * @throws Error that lists every problem of every entry by its position and says the form; never repeats an address.
 */
export function parseSenders(text: string): Sender[] {
  const entries = text.split(',').map(readEntry);
  const problems = entries.flatMap((entry, index) => findProblems(entry).map((problem) => `entry ${index + 1}: ${problem}`));
  for (const field of ['alias', 'address'] as const) {
    const positions = new Map<string, number>();
    entries.forEach((entry, index) => {
      const earlier = positions.get(entry[field]);
      if (earlier === undefined) positions.set(entry[field], index + 1);
      else if (entry.address !== '') problems.push(`entries ${earlier} and ${index + 1} share one ${field}`);
    });
  }
  if (problems.length > 0) throw new Error(`${problems.join('; ')}. Write [alias@]address=mps, joined by commas.`);
  return entries.map(({ alias, address, mps }) => ({ alias, address, mps: Number(mps) }));
}

/** Takes one entry apart without judging it. */
function readEntry(text: string): { alias: string; address: string; mps: string } {
  const at = text.indexOf('@');
  const equals = text.lastIndexOf('=');
  const address = text.slice(at + 1, equals < 0 ? undefined : equals).trim();
  return {
    alias: at < 0 ? defaultAlias(address) : text.slice(0, at).trim(),
    address,
    mps: equals < 0 ? '' : text.slice(equals + 1).trim(),
  };
}

function findProblems({ alias, address, mps }: { alias: string; address: string; mps: string }): string[] {
  const problems: string[] = [];
  if (!ALIAS.test(alias)) problems.push(`the alias must match ${ALIAS.source}`);
  if (PHONE_LIKE.test(alias)) problems.push('the alias must not have seven digits in a row: it would show a phone number in metrics');
  if (alias === RESERVED_ALIAS) problems.push(`the alias "${RESERVED_ALIAS}" is taken by a queue of the system: choose another one`);
  if (!ADDRESS.test(address)) problems.push('the address must be whatsapp:+<E.164> or MG<32 hex>');
  if (!MPS.test(mps) || !(Number(mps) > 0)) problems.push('mps must be a number above 0');
  return problems;
}

/** The alias of a sender that was given none: `wa-` or `mg-` and 6 hex of sha256(address). */
export function defaultAlias(address: string): string {
  const digest = createHash('sha256').update(address).digest('hex').slice(0, 6);
  return `${address.startsWith('MG') ? 'mg' : 'wa'}-${digest}`;
}

/** The sender that a request's `from` names by alias or address; the first one when absent; undefined when there is none. */
export function resolveSender(senders: readonly Sender[], from: string | undefined): Sender | undefined {
  if (from === undefined) return senders[0];
  const address = from.startsWith('+') ? `whatsapp:${from}` : from;
  return senders.find((sender) => sender.alias === from || sender.address === address);
}
