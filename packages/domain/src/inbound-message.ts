import { z } from 'zod';

/** Characters of one detail: a flow's answers are JSON of several thousand. */
export const INBOUND_DETAIL_MAX = 16_384;

/** One message that a person sent to one of our senders. Addresses are kept as received: a sender may be a BSUID, not a number. */
export const inboundMessageSchema = z.object({
  messageSid: z.string().min(1).max(64),
  /** The person: `whatsapp:+E164` or `whatsapp:CC.…`. */
  from: z.string().min(1).max(256),
  /** Our sender. */
  to: z.string().min(1).max(256),
  messagingServiceSid: z.string().max(64).nullable(),
  body: z.string().max(4096).nullable(),
  media: z.array(z.object({ url: z.string().max(2048), contentType: z.string().max(128).nullable() })).max(20),
  buttonText: z.string().max(1024).nullable(),
  buttonPayload: z.string().max(1024).nullable(),
  repliedToSid: z.string().max(64).nullable(),
  profileName: z.string().max(1024).nullable(),
  optOutType: z.string().max(16).nullable(),
  /**
   * Whatever else Twilio told of the message, by its own name: a place, an advertisement, a list or flow that was answered. What was written
   * before there were details has none.
   */
  details: z.record(z.string().max(64), z.string().max(INBOUND_DETAIL_MAX)).default({}),
  receivedAt: z.iso.datetime(),
});

export type InboundMessage = z.infer<typeof inboundMessageSchema>;
