import { COUNTED_STATUSES, ERROR_CLASSES } from '@tickmark/domain';
import { z } from 'zod';

const time = z.iso.datetime();
export const count = z.int().min(0);

export const rateSchema = z.object({
  value: z.number().min(0).max(1).nullable().describe('numerator / denominator; null when the denominator is 0'),
  numerator: count,
  denominator: count,
});

const seconds = z.number().min(0).nullable();
const percentilesSchema = z
  .object({ p50: seconds, p95: seconds, p99: seconds })
  .describe(
    'seconds from acceptance, or the time that it was scheduled for, to when we were told; off by 2 % at most; null when none is known',
  );

const statusCounts = Object.fromEntries(COUNTED_STATUSES.map((status) => [status, count])) as Record<
  (typeof COUNTED_STATUSES)[number],
  typeof count
>;

const errorClass = z.enum(ERROR_CLASSES);

const figures = {
  totals: z
    .object({
      messages: count.describe('all that came'),
      pending: count.describe('wait for their call or its answer'),
      attempted: count.describe('that Twilio took, or refused for good'),
      submitted: count.describe('that Twilio took'),
      ...statusCounts,
    })
    .describe('messages, each under its present status only: one that was read is not among the delivered'),
  rates: z.object({
    delivery: rateSchema.describe('delivered or read, of the attempted'),
    read: rateSchema.describe('read, of the delivered or read'),
    failure: rateSchema.describe('failed or undelivered, of the attempted'),
    completeness: rateSchema.describe('with a final status, of the submitted'),
  }),
  latency: z.object({ toSent: percentilesSchema, toDelivered: percentilesSchema, toRead: percentilesSchema }),
  errors: z
    .array(z.object({ code: z.int(), class: errorClass, count }))
    .describe('of the failed and undelivered messages, the most frequent first; some failures have no code'),
};

const range = {
  since: time,
  until: time,
};

/** What `GET /v1/metrics/platform` answers. */
export const metricsSchema = z
  .object({
    ...range,
    ...figures,
    series: z.array(z.object({ at: time, ...figures })).describe('hours or days (UTC), oldest first, none left out'),
  })
  .meta({ title: 'Metrics' });

const phoneMetricsSchema = metricsSchema
  .extend({
    performance: z
      .object({
        attempts: count,
        delivered: count.describe('arrived, read or not'),
        read: count,
        failuresByClass: z.partialRecord(errorClass, count),
        lastError: z.object({ code: z.int(), class: errorClass, at: time }).nullable(),
        lastDeliveredAt: time.nullable(),
        firstMessageAt: time.nullable(),
        lastMessageAt: time.nullable(),
        reachability: z
          .enum(['reachable', 'unreachable', 'unknown'])
          .describe('unreachable: the latest failure is newer than the latest delivery, and of the phone itself'),
        updatedAt: time.nullable().describe('when this was counted, at most a minute or so after the last change; null when never'),
      })
      .describe('apart from the range: of a recipient its latest 1,000 messages, of a sender all'),
  })
  .meta({ title: 'PhoneMetrics' });

/** What `GET /v1/metrics/phones/:phone` answers: one role, or both. */
export const phoneAnswerSchema = z.union([phoneMetricsSchema, z.object({ sender: phoneMetricsSchema, recipient: phoneMetricsSchema })]);
