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

/**
 * Reads `TWILIO_SENDERS` (`[alias@]address=mps,…`).
 *
 * @throws Error that lists every bad entry by its position and says the form; never repeats an address.
 */
export function parseSenders(text: string): Sender[] {
  const problems: string[] = [];
  const senders: Sender[] = [];
  text.split(',').forEach((entry, index) => {
    const match = /^(?:([^@=]*)@)?([^=]+)=([^=]+)$/.exec(entry.trim());
    const [, alias, address = '', mps = ''] = match ?? [];
    const where = `entry ${index + 1}`;
    if (!ADDRESS.test(address)) problems.push(`${where}: the address must be whatsapp:+<E.164> or MG<32 hex>`);
    else if (alias !== undefined && !ALIAS.test(alias)) problems.push(`${where}: the alias must match ${ALIAS.source}`);
    else if (!(Number(mps) > 0) || !Number.isFinite(Number(mps))) problems.push(`${where}: mps must be a number above 0`);
    else senders.push({ alias: alias ?? defaultAlias(address), address, mps: Number(mps) });
  });
  for (const field of ['alias', 'address'] as const) {
    if (new Set(senders.map((sender) => sender[field])).size < senders.length) problems.push(`two entries share one ${field}`);
  }
  if (problems.length > 0) throw new Error(`${problems.join('; ')}. Write [alias@]address=mps, joined by commas.`);
  return senders;
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
