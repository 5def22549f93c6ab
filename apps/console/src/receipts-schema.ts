import { STATUS_NAMES } from '@tickmark/domain';
import { z } from 'zod';
import { count, rateSchema } from './metrics-schema.ts';

const time = z.iso.datetime();

const shares = {
  accepted: count.describe('messages that Twilio took, at least `within` minutes ago'),
  first: rateSchema.describe('of which we heard in that time more than that Twilio has it'),
  final: rateSchema.describe('of which we heard in that time how they ended'),
  late: count.describe('of which that was heard later'),
  missing: count.describe('of which it was not heard at all'),
};

const missingSchema = z.object({
  id: z.uuid(),
  messageSid: z.string(),
  sender: z.string().nullable().describe('alias'),
  template: z.string().nullable().describe('content SID'),
  status: z.enum(STATUS_NAMES),
  createdAt: time,
  acceptedAt: time.describe('when Twilio took it'),
  sentAt: time.nullable(),
  reconciler: z.object({
    askedAt: time.nullable().describe('when Twilio was last asked about it'),
    answer: z
      .string()
      .nullable()
      .describe("Twilio's word for its status, `gone` for a SID that it does not know, `failed` when it gave no answer"),
    nextAt: time.nullable().describe('when it is asked next'),
  }),
  why: z.string().describe('the same in a sentence, and what to do'),
});

/** What `GET /v1/metrics/receipts` answers. */
export const receiptsSchema = z
  .object({
    since: time,
    until: time,
    withinMinutes: z.number(),
    ...shares,
    groups: z
      .array(z.object({ sender: z.string().nullable(), template: z.string().nullable().describe('null: free text'), ...shares }))
      .describe('per sender and template, those that miss the most first'),
    missingMessages: z.array(missingSchema).describe('the oldest first'),
    nextCursor: z.string().nullable().describe('for the next page of missing messages; null when these were all'),
  })
  .meta({ title: 'ReceiptCompleteness' });
