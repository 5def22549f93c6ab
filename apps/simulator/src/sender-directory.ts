import type { Sender } from '@tickmark/domain';
import { fateOf } from './fate.ts';

/** Which senders the simulated account has. */
export interface SenderDirectory {
  knows(address: string): boolean;
  /** The address that a Messaging Service sends from to this recipient; always the same one, as Twilio's sticky sender. */
  addressFor(messagingServiceSid: string, recipient: string): string;
}

/** Without configured senders every address is known. A service sends from the configured addresses, or from one that its sid leads to. */
export function createSenderDirectory(senders: readonly Sender[]): SenderDirectory {
  const addresses = new Set(senders.map(({ address }) => address));
  const pool = [...addresses].filter((address) => address.startsWith('whatsapp:'));
  return {
    knows: (address) => addresses.size === 0 || addresses.has(address),
    addressFor: (messagingServiceSid, recipient) =>
      pool[fateOf(recipient) % pool.length] ?? `whatsapp:+1415${String(fateOf(messagingServiceSid) % 10_000_000).padStart(7, '0')}`,
  };
}
