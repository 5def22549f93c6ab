import { z } from 'zod';

/**
 * One status of one message, as a callback, a poll or a list row told it. Twilio sends no timestamp and no sequence, so `receivedAt`
 * (ISO 8601, the ingress's clock) is the only time there is.
 */
export const statusEventSchema = z.object({
  /** `m` of the callback URL: our message id; null when absent or not a UUID. */
  messageId: z.uuid().nullable(),
  /** `a` of the callback URL: the attempt, from 1; null when absent or not a number. */
  attempt: z.number().int().positive().nullable(),
  messageSid: z.string().min(1).max(64),
  /** Twilio's own word, kept as received (sanitised, at most 64 characters). */
  rawStatus: z.string().min(1).max(64),
  errorCode: z.number().int().nullable(),
  receivedAt: z.iso.datetime(),
  from: z.string().max(256).nullable(),
  to: z.string().max(256).nullable(),
  messagingServiceSid: z.string().max(64).nullable(),
  /** ChannelStatusMessage: WhatsApp's own words about a failure; the best diagnosis there is. */
  channelStatusMessage: z.string().max(1024).nullable(),
  source: z.enum(['callback', 'poll', 'list']),
});

export type StatusEvent = z.infer<typeof statusEventSchema>;
