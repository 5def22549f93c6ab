/** First part of every queue's prefix, unless `QUEUE_PREFIX` says otherwise. */
export const DEFAULT_QUEUE_BASE = 'tickmark';

/** Queues with a fixed name. Send queues come on top, one per sender (`sendQueueName`). */
export const QUEUES = {
  intake: 'intake',
  sendOutcome: 'send-outcome',
  statusCallback: 'status-callback',
  inbound: 'inbound',
  inboundMessage: 'inbound-message',
  messageStatus: 'message-status',
  cancel: 'cancel',
  reconcile: 'reconcile',
  maintenance: 'maintenance',
  canary: 'canary',
} as const;

/** A queue's name: also its metric label, hence never a phone number. */
export type QueueName = (typeof QUEUES)[keyof typeof QUEUES] | `send-${string}`;

/**
 * The queue of one sender.
 *
 * @param alias that of `parseSenders`: no colon, no phone
 * @throws Error for the alias `outcome`, whose queue would be that of the outcomes
 */
export function sendQueueName(alias: string): `send-${string}` {
  const name = `send-${alias}` as const;
  if (name === QUEUES.sendOutcome) throw new Error('a sender cannot have the alias "outcome": give it another one in TWILIO_SENDERS');
  return name;
}

/** Whether the queue is one sender's. */
export function isSendQueue(queue: QueueName): boolean {
  return queue.startsWith('send-') && queue !== QUEUES.sendOutcome;
}

/**
 * BullMQ's `prefix` for a queue: `{<base>:<queue>}`. BullMQ appends `:<queue>:…`; the braces are Redis Cluster's hash tag, so all keys of one
 * queue share a slot while queues spread over the shards.
 */
export function queuePrefix(base: string, queue: QueueName): string {
  return `{${base}:${queue}}`;
}
