import type { MessageStatus, Priority } from '@tickmark/domain';
import type { Database } from './database.ts';

export interface ErrorDescription {
  code: number;
  class: string;
  meaning: string;
  cause: string;
  remedy: string;
}

export interface TimelineEntry {
  /** ISO 8601. */
  at: string;
  kind: 'accepted' | 'attempt' | 'callback' | 'reconciled' | 'operator';
  status: string | null;
  errorCode: number | null;
  attempt: number | null;
  source: string | null;
}

/** The answer of `GET /v1/messages/:id`. Absent is null, never left out; times are ISO 8601. */
export interface MessageDeliveryStatus {
  id: string;
  status: MessageStatus;
  messageSid: string | null;
  /** Alias. */
  sender: string | null;
  from: string | null;
  to: string | null;
  producer: string | null;
  origin: 'api' | 'external' | 'recovered' | 'retry';
  campaign: string | null;
  priority: Priority;
  onUnknown: 'hold' | 'resend';
  attempts: number;
  errorCode: number | null;
  error: ErrorDescription | null;
  contradicted: boolean;
  createdAt: string;
  sendAt: string | null;
  queuedAt: string | null;
  sentAt: string | null;
  deliveredAt: string | null;
  readAt: string | null;
  failedAt: string | null;
  retryOf: string | null;
  retriedBy: string | null;
  metadata: Record<string, string> | null;
  content: {
    body: string | null;
    contentSid: string | null;
    contentVariables: Record<string, string> | null;
    mediaUrl: string | null;
  } | null;
  timeline: TimelineEntry[];
}

export interface MessageDeliveryStatusDeps {
  db: Pick<Database, 'sql'>;
  describeError: (code: number) => ErrorDescription;
}

export function getMessageDeliveryStatus(
  _deps: MessageDeliveryStatusDeps,
  _input: { idOrSid: string },
): Promise<MessageDeliveryStatus | null> {
  throw new Error('not written yet');
}
