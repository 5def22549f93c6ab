import { z } from 'zod';
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

const evidence = {
  httpStatus: z.number().int().nullable(),
  errorCode: z.number().int().nullable(),
  /** Twilio-Request-Id, when the answer carried one. */
  requestId: z.string().nullable(),
};

const UNKNOWN_REASONS = ['timeout', 'connection-lost', 'server-error', 'unparsable-answer', 'missing-sid', 'unrecognized-answer'] as const;

/**
 * What became of one call of Twilio's create, as a value.
 *
 * - `accepted`: a 2xx with a sid: the message exists at Twilio.
 * - `throttled`: certainly not created, may be repeated: 429 with JSON code 20429, or no connection was ever established.
 * - `rejected`: certainly not created: a 4xx with Twilio's JSON.
 * - `unknown`: everything else; the call may or may not have created a message and must never be repeated blindly.
 *
 * Strict, because it travels in a queue: a field that this release does not know is a newer writer's.
 */
export const sendOutcomeSchema = z.discriminatedUnion('kind', [
  z.strictObject({ ...evidence, kind: z.literal('accepted'), messageSid: z.string().min(1), rawStatus: z.string() }),
  z.strictObject({ ...evidence, kind: z.literal('throttled'), retryAfterMs: z.number().nullable() }),
  z.strictObject({ ...evidence, kind: z.literal('rejected'), errorCode: z.number().int() }),
  z.strictObject({ ...evidence, kind: z.literal('unknown'), reason: z.enum(UNKNOWN_REASONS) }),
]);

export type SendOutcome = z.infer<typeof sendOutcomeSchema>;

export type UnknownReason = (typeof UNKNOWN_REASONS)[number];
