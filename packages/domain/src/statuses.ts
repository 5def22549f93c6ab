/** Every value of `whatsapp_messages.status`, ours and Twilio's own words; a claimable row has no sid and may still be sent. */
export const MESSAGE_STATUSES = {
  accepted: { rank: 0, final: false, claimable: true },
  scheduled: { rank: 0, final: false, claimable: true },
  retrying: { rank: 0, final: false, claimable: true },
  sending: { rank: 0, final: false, claimable: false },
  unknown: { rank: 0, final: false, claimable: false },
  held: { rank: 0, final: false, claimable: false },
  queued: { rank: 20, final: false, claimable: false },
  sent: { rank: 40, final: false, claimable: false },
  canceled: { rank: 50, final: true, claimable: false },
  expired: { rank: 50, final: true, claimable: false },
  suppressed: { rank: 50, final: true, claimable: false },
  failed: { rank: 50, final: true, claimable: false },
  undelivered: { rank: 50, final: true, claimable: false },
  delivered: { rank: 60, final: true, claimable: false },
  read: { rank: 70, final: true, claimable: false },
} as const satisfies Record<string, { rank: number; final: boolean; claimable: boolean }>;

export type MessageStatus = keyof typeof MESSAGE_STATUSES;

/** Every status, for schemas. */
export const STATUS_NAMES = Object.keys(MESSAGE_STATUSES) as [MessageStatus, ...MessageStatus[]];

export const CLAIMABLE_STATUSES = STATUS_NAMES.filter((status) => MESSAGE_STATUSES[status].claimable);

/** Rank of a status: a row never goes to a lower one. */
export function rankOf(status: MessageStatus): number {
  return MESSAGE_STATUSES[status].rank;
}

/**
 * What one of Twilio's status words means for the row, or null for a word that is only logged.
 *
 * Twilio's accepted, scheduled, queued and sending all become `queued`: stored literally, a Messaging Service message
 * ("accepted") would be claimable again and be sent twice. Matching ignores case, because nothing documents it.
 */
export function projectTwilioStatus(rawStatus: string): MessageStatus | null {
  return PROJECTION.get(rawStatus.toLowerCase()) ?? null;
}

const PROJECTION: ReadonlyMap<string, MessageStatus> = new Map<string, MessageStatus>([
  ['accepted', 'queued'],
  ['scheduled', 'queued'],
  ['queued', 'queued'],
  ['sending', 'queued'],
  ['sent', 'sent'],
  ['delivered', 'delivered'],
  ['read', 'read'],
  ['failed', 'failed'],
  ['undelivered', 'undelivered'],
  ['canceled', 'canceled'],
]);
