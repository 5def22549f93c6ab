import { getPhoneDeliveryMetrics, getPlatformDeliveryMetrics, getReceiptCompleteness, type Database } from '@tickmark/delivery';
import { storableText } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { encodeMessageCursor, messageCursorParam } from '../cursor.ts';
import { metricsSchema, phoneAnswerSchema } from '../metrics-schema.ts';
import { digits, limitParam, timeParam } from '../query-params.ts';
import { receiptsSchema } from '../receipts-schema.ts';
import { withStore } from '../with-store.ts';

const rangeSchema = z.strictObject({
  since: timeParam.optional().describe('24 hours before until unless given'),
  until: timeParam.optional().describe('now unless given'),
  bucket: z.enum(['hour', 'day']).optional().describe('what one point of the series stands for, in UTC; hour unless given'),
});

const platformQuerySchema = rangeSchema.extend({
  sender: storableText(64).optional().describe('alias of one sender; all messages unless given, also those that others sent'),
});

const phoneParamsSchema = z.object({
  phone: z.string().describe('+E164, a user id CC.…, both with or without whatsapp:, or a Messaging Service MG…; percent-encoded'),
});

const phoneQuerySchema = rangeSchema.extend({ role: z.enum(['sender', 'recipient']).optional().describe('both unless given') });

const receiptsQuerySchema = z.strictObject({
  since: timeParam.optional().describe('24 hours before until unless given; to the millisecond'),
  until: timeParam.optional().describe('now unless given'),
  within: digits(z.number('write a whole number').min(1).max(10_080)).default(15).describe('minutes in which a receipt counts'),
  sender: storableText(64).optional().describe('alias'),
  template: storableText(64).optional().describe('content SID, or none for free text'),
  limit: limitParam,
  cursor: messageCursorParam.optional(),
});

export interface MetricsRoutesOptions {
  db: Database;
  authenticator: Authenticator;
}

/** What became of messages, counted: for keys with the scope read. */
export function addMetricsRoutes(server: HttpServer, { db, authenticator }: MetricsRoutesOptions): void {
  const shared = { onRequest: authenticator.require('read') };
  const documented = { tags: ['metrics'] };

  server.get(
    '/v1/metrics/platform',
    {
      ...shared,
      schema: {
        ...documented,
        summary: 'Totals, rates, latencies and errors of a time',
        querystring: platformQuerySchema,
        response: { 200: metricsSchema },
      },
    },
    (request) => withStore(db, () => getPlatformDeliveryMetrics({ db }, request.query)),
  );

  server.get(
    '/v1/metrics/phones/:phone',
    {
      ...shared,
      schema: {
        ...documented,
        summary: 'The same of one phone, as a sender and as a recipient',
        params: phoneParamsSchema,
        querystring: phoneQuerySchema,
        response: { 200: phoneAnswerSchema },
      },
    },
    async (request) => {
      const { role, ...range } = request.query;
      const answer = await withStore(db, () => getPhoneDeliveryMetrics({ db }, { phone: request.params.phone, ...range }));
      return role === undefined ? answer : answer[role];
    },
  );

  server.get(
    '/v1/metrics/receipts',
    {
      ...shared,
      schema: {
        ...documented,
        summary: 'How completely Twilio told what became of messages, and of which it did not',
        querystring: receiptsQuerySchema,
        response: { 200: receiptsSchema },
      },
    },
    async (request) => {
      const { within: withinMinutes, cursor: after, ...question } = request.query;
      const { next, ...answer } = await withStore(db, () => getReceiptCompleteness({ db }, { ...question, withinMinutes, after }));
      return { ...answer, nextCursor: encodeMessageCursor(next) };
    },
  );
}
