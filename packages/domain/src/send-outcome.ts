import type { Priority } from './message-request.ts';

/** What one call of Twilio's create is given: one claimed row. */
export interface SendRequest {
  messageId: string;
  attempt: number;
  /** `whatsapp:+E164` or a Messaging Service `MG…`. */
  senderAddress: string;
  recipient: string;
  body: string | null;
  contentSid: string | null;
  contentVariables: Record<string, string> | null;
  mediaUrl: string | null;
  priority: Priority;
  /** Remaining validity in seconds, 5 or more; null when the message has none. */
  validityPeriodSeconds: number | null;
}

interface OutcomeEvidence {
  httpStatus: number | null;
  errorCode: number | null;
  /** Twilio-Request-Id, when the answer carried one. */
  requestId: string | null;
}

/**
 * What became of one call of Twilio's create, as a value.
 *
 * - `accepted`: a 2xx with a sid: the message exists at Twilio.
 * - `throttled`: certainly not created, may be repeated: 429 with JSON code 20429, or no connection was ever established.
 * - `rejected`: certainly not created: a 4xx with Twilio's JSON.
 * - `unknown`: everything else; the call may or may not have created a message and must never be repeated blindly.
 */
export type SendOutcome =
  | (OutcomeEvidence & { kind: 'accepted'; messageSid: string; rawStatus: string })
  | (OutcomeEvidence & { kind: 'throttled'; retryAfterMs: number | null })
  | (OutcomeEvidence & { kind: 'rejected'; errorCode: number })
  | (OutcomeEvidence & { kind: 'unknown'; reason: UnknownReason });

export type UnknownReason = 'timeout' | 'connection-lost' | 'server-error' | 'unparsable-answer' | 'missing-sid' | 'unrecognized-answer';
