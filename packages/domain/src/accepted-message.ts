import { z } from 'zod';
import { CATEGORIES, ON_UNKNOWN, PRIORITIES } from './message-request.ts';

/** One accepted message on its way from the ingress to its row: everything that the row needs, nothing that only HTTP knows. */
export const acceptedMessageSchema = z.object({
  id: z.uuid(),
  /** Name of the API key: the namespace of its idempotency keys. */
  producer: z.string().min(1),
  /** SHA-256 (hex) of the request, to recognise a key that comes again with other content. */
  requestHash: z.string().length(64),
  sender: z.string().min(1),
  senderAddress: z.string().min(1),
  recipient: z.string().min(1),
  body: z.string().nullable(),
  contentSid: z.string().nullable(),
  contentVariables: z.record(z.string(), z.string()).nullable(),
  mediaUrl: z.string().nullable(),
  priority: z.enum(PRIORITIES),
  category: z.enum(CATEGORIES).nullable(),
  campaign: z.string().nullable(),
  metadata: z.record(z.string(), z.string()).nullable(),
  onUnknown: z.enum(ON_UNKNOWN),
  /** ISO 8601, the ingress's clock. */
  acceptedAt: z.iso.datetime(),
  /** ISO 8601; null = now. */
  sendAt: z.iso.datetime().nullable(),
  validityPeriodSeconds: z.number().int().min(1).max(36_000).nullable(),
});

export type AcceptedMessage = z.infer<typeof acceptedMessageSchema>;
