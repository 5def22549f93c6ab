import { PRIORITIES, STATUS_NAMES } from '@tickmark/domain';
import { z } from 'zod';

const time = z.iso.datetime();
const texts = z.record(z.string(), z.string());

const timelineEntrySchema = z.object({
  at: time,
  kind: z.enum(['accepted', 'attempt', 'callback', 'reconciled', 'operator']),
  status: z.string().nullable(),
  errorCode: z.int().nullable(),
  attempt: z.int().nullable(),
  source: z.string().nullable(),
});

/** A message as lists show it. Absent is null, never left out. */
export const messageSummarySchema = z.object({
  id: z.uuid(),
  status: z.enum(STATUS_NAMES),
  messageSid: z.string().nullable(),
  sender: z.string().nullable().describe('alias'),
  from: z.string().nullable(),
  to: z.string().nullable(),
  producer: z.string().nullable().describe('name of the API key that sent it'),
  origin: z.enum(['api', 'external', 'recovered', 'retry']),
  campaign: z.string().nullable(),
  priority: z.enum(PRIORITIES),
  onUnknown: z.enum(['hold', 'resend']),
  attempts: z.int().describe('calls of the create API'),
  errorCode: z.int().nullable(),
  error: z.object({ code: z.int(), class: z.string(), meaning: z.string(), cause: z.string(), remedy: z.string() }).nullable(),
  contradicted: z.boolean().describe('both delivered or read and a final failure were told'),
  createdAt: time.describe('when it was accepted; at most 10 minutes before it was stored, should that have taken longer'),
  sendAt: time.nullable(),
  queuedAt: time.nullable(),
  sentAt: time.nullable(),
  deliveredAt: time.nullable(),
  readAt: time.nullable(),
  failedAt: time.nullable(),
  retryOf: z.uuid().nullable(),
  retriedBy: z.uuid().nullable(),
  metadata: texts.nullable(),
});

/** What `GET /v1/messages/:id` answers. */
export const messageSchema = messageSummarySchema
  .extend({
    content: z
      .object({
        body: z.string().nullable(),
        contentSid: z.string().nullable(),
        contentVariables: texts.nullable(),
        mediaUrl: z.string().nullable(),
      })
      .nullable()
      .describe('null when it was removed after its retention'),
    timeline: z.array(timelineEntrySchema),
  })
  .meta({ title: 'Message' });
