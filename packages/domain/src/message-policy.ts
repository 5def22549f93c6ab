import { AppError } from './api-errors.ts';
import { normalizeRecipient } from './recipients.ts';
import { resolveSender, type Sender } from './senders.ts';

/** What the configuration allows a message to be. */
export interface MessagePolicy {
  mode: 'simulator' | 'sandbox' | 'live';
  senders: readonly Sender[];
  /** Outside live mode; undefined = nobody in the sandbox, everybody at the simulator. Read at each use. */
  allowedRecipients: () => readonly string[] | undefined;
}

/**
 * The sender that `from` names, the first one when absent.
 *
 * @param aliases those that the producer may use; null = all
 * @throws AppError UNKNOWN_SENDER or FORBIDDEN_SENDER; both name the aliases that the producer may use.
 */
export function chooseSender({ senders }: Pick<MessagePolicy, 'senders'>, aliases: readonly string[] | null, from?: string): Sender {
  const sender = resolveSender(senders, from);
  if (!sender) {
    const usable = senders.map(({ alias }) => alias).filter((alias) => aliases?.includes(alias) ?? true);
    throw new AppError('UNKNOWN_SENDER', `No sender has this alias or address. Set from to one of: ${usable.join(', ')}.`, {
      details: [{ path: 'from', message: 'names no configured sender' }],
    });
  }
  if (aliases?.includes(sender.alias) ?? true) return sender;
  throw new AppError('FORBIDDEN_SENDER', `This API key may only use the senders ${aliases?.join(', ')}. Set from to one of them.`);
}

/** Twilio's 63031, which it finds only after its own queue. @throws AppError INVALID_RECIPIENT */
export function refuseOwnAddress(sender: Pick<Sender, 'address'>, recipient: string): void {
  if (recipient !== sender.address) return;
  throw new AppError('INVALID_RECIPIENT', 'A sender cannot write to itself. Correct to, or set from to another sender.', {
    details: [{ path: 'to', message: 'is the address of the sender itself' }],
  });
}

/** Keeps a system that is being tried out from writing to strangers. @throws AppError RECIPIENT_NOT_ALLOWED */
export function refuseForeignRecipient({ mode, allowedRecipients }: MessagePolicy, recipient: string): void {
  if (mode === 'live') return;
  const allowed = allowedRecipients();
  if (allowed === undefined ? mode === 'simulator' : allowed.includes(recipient)) return;
  throw new AppError(
    'RECIPIENT_NOT_ALLOWED',
    `In ${mode} mode only the recipients of ALLOWED_RECIPIENTS are written to. Add this one there and restart, or use TWILIO_MODE=live.`,
    { details: [{ path: 'to', message: 'is not in ALLOWED_RECIPIENTS' }] },
  );
}

/** Reads `ALLOWED_RECIPIENTS` into the stored form of recipients. @throws Error that tells bad entries by their position, never by their number. */
export function parseAllowedRecipients(text: string): string[] {
  const entries = text.split(',').map((entry) => entry.trim());
  const bad = entries.flatMap((entry, index) => (entry === '' || normalizeRecipient(entry) !== null ? [] : [index + 1]));
  if (bad.length > 0) throw new Error(`entry ${bad.join(', ')}: must be +<E.164 number> or whatsapp:+<E.164 number>`);
  return entries.map(normalizeRecipient).filter((recipient) => recipient !== null);
}
