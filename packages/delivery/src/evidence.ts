import { applyStatusEvent, compareProgress, type StatusEvent, type StatusProjection } from '@tickmark/domain';

/**
 * Everything that one batch says about one sid, merged, so that the row behind it is written once. Being told of a sid at all proves
 * that the message was created: the status is `queued` at least, also after words that we do not know.
 */
export interface Evidence {
  messageSid: string;
  /** The row and the attempt that made the sid, as the callback's URL told them; null when it did not. */
  messageId: string | null;
  attempt: number | null;
  projection: StatusProjection;
  /** For a message that is not ours: what its row can be told. */
  from: string | null;
  to: string | null;
  messagingServiceSid: string | null;
}

const CREATED: StatusProjection = {
  status: 'queued',
  errorCode: null,
  contradicted: false,
  queuedAt: null,
  sentAt: null,
  deliveredAt: null,
  readAt: null,
  failedAt: null,
};

/** The evidence that a create call's answer is: the sid exists and belongs to this attempt. */
export function evidenceOfCreate(messageSid: string, messageId: string, attempt: number): Evidence {
  return { messageSid, messageId, attempt, projection: CREATED, from: null, to: null, messagingServiceSid: null };
}

/** One evidence per sid, whatever the order of the events. */
export function evidenceOfEvents(events: readonly StatusEvent[]): Evidence[] {
  const bySid = new Map<string, Evidence>();
  for (const event of events) bySid.set(event.messageSid, addEvent(bySid.get(event.messageSid), event));
  return [...bySid.values()];
}

function addEvent(known: Evidence | undefined, event: StatusEvent): Evidence {
  const messageId = event.messageId?.toLowerCase() ?? null;
  return {
    messageSid: event.messageSid,
    // A poll carries neither; and were two rows named for one sid, the choice must not depend on the order.
    messageId: least(known?.messageId ?? null, messageId),
    attempt: greatest(known?.attempt ?? null, event.attempt),
    projection: applyStatusEvent(known?.projection ?? CREATED, { ...event, receivedAt: Date.parse(event.receivedAt) }),
    from: known?.from ?? event.from,
    to: known?.to ?? event.to,
    messagingServiceSid: known?.messagingServiceSid ?? event.messagingServiceSid,
  };
}

/** What two places know about one sid, together. */
export function mergeProjections(a: StatusProjection, b: StatusProjection): StatusProjection {
  const further = compareProgress(a, b) >= 0 ? a : b;
  return {
    status: further.status,
    errorCode: further.errorCode,
    contradicted: a.contradicted || b.contradicted || (isPositive(a) && isNegative(b)) || (isNegative(a) && isPositive(b)),
    queuedAt: least(a.queuedAt, b.queuedAt),
    sentAt: least(a.sentAt, b.sentAt),
    deliveredAt: least(a.deliveredAt, b.deliveredAt),
    readAt: least(a.readAt, b.readAt),
    failedAt: least(a.failedAt, b.failedAt),
  };
}

function isPositive({ deliveredAt, readAt }: StatusProjection): boolean {
  return deliveredAt !== null || readAt !== null;
}

function isNegative({ failedAt }: StatusProjection): boolean {
  return failedAt !== null;
}

function least<T extends string | number>(a: T | null, b: T | null): T | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}

function greatest(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.max(a, b);
}
