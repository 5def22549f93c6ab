import type { StatusEvent } from './status-event.ts';

/** One row of Twilio's list of messages, as far as it tells whose it is and what became of it. Never the text itself, only its hash. */
export interface ListedMessage {
  messageSid: string;
  /** Twilio's own word. */
  rawStatus: string;
  errorCode: number | null;
  /** SHA-256 of the text in hex; null when there is none. */
  contentSha256: string | null;
  /** Null until a Messaging Service has chosen a sender. */
  from: string | null;
  messagingServiceSid: string | null;
  /** Twilio's clock, in whole seconds. */
  createdAt: Date;
  direction: string;
}

/**
 * What a listed row says of its status, as an event like any other. Without our id: a list does not know it, and only what knows it makes a
 * claim to a sid stronger.
 *
 * @param receivedAt when the list was read, ISO 8601
 */
export function listedStatusEvent(
  {
    messageSid,
    rawStatus,
    errorCode,
    from,
    messagingServiceSid,
  }: Pick<ListedMessage, 'messageSid' | 'rawStatus' | 'errorCode' | 'from' | 'messagingServiceSid'>,
  receivedAt: string,
): StatusEvent {
  const unnamed = { messageId: null, attempt: null, to: null, channelStatusMessage: null };
  return { ...unnamed, messageSid, rawStatus, errorCode, receivedAt, from, messagingServiceSid, source: 'list' };
}

/** The same, read to learn what became of a message whose callbacks may be lost. */
export interface PolledMessage extends ListedMessage {
  /** When the message last changed at Twilio: no earlier than the status was reached. Whole seconds. */
  updatedAt: Date;
}

/**
 * What a poll says, as an event like any other. It counts from when the message last changed, not from when we asked: a failure of long ago
 * must not look like one of now, which would be sent again.
 */
export function polledStatusEvent(message: PolledMessage, source: 'poll' | 'list', now: Date): StatusEvent {
  const receivedAt = new Date(Math.min(message.updatedAt.getTime(), now.getTime()));
  return { ...listedStatusEvent(message, receivedAt.toISOString()), source };
}
