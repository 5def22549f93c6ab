import { batchAnswerSchema, batchRequestSchema } from '@tickmark/domain';
import type { HttpServer } from '@tickmark/http';
import { acceptBatch } from '@tickmark/queues';
import { z } from 'zod';
import { readKeyHeader } from '../idempotency-key.ts';
import type { MessageRoutesOptions } from './messages.ts';

const BODY_BYTES_MAX = 4 * 1024 * 1024;
/** 1,000 messages of a few words make as many objects as 1,000 long ones. Of batches like these 16 are under way at most, of the largest 8. */
const HELD_BYTES_MIN = 2 * 1024 * 1024;

const headersSchema = z.object({
  'idempotency-key': z
    .string()
    .optional()
    .describe('1 to 255 characters; covers the exact body and gives item i the key <key>/<i>, unless it has its own'),
});

/** `POST /v1/messages/batch`: one result per item, in order; an item that is refused holds up no other. */
export function addMessageBatchRoute(server: HttpServer, options: MessageRoutesOptions): void {
  const { authenticator, policy, clock, hidden } = options;
  server.post(
    '/v1/messages/batch',
    {
      onRequest: authenticator.require('send'),
      bodyLimit: BODY_BYTES_MAX,
      config: { shed: 'bulk', holdsBytesMin: HELD_BYTES_MIN },
      schema: {
        hide: hidden,
        tags: ['messages'],
        summary: 'Accept up to 1,000 messages for sending',
        headers: headersSchema,
        body: batchRequestSchema,
        response: { 202: batchAnswerSchema },
      },
      // As for a single message: each item has its own refusal.
      validatorCompiler: () => (value: unknown) => ({ value }),
    },
    async (request, reply) => {
      const { producer, apiKey } = request;
      const key = readKeyHeader(request.headers['idempotency-key']);
      const context = { producer, aliases: apiKey?.aliases ?? null, policy, now: clock.now() };
      return reply.code(202).send(await acceptBatch(options, { input: request.body, key, keyPath: 'Idempotency-Key' }, context));
    },
  );
}
