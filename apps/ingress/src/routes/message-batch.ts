import { AppError, batchAnswerSchema, batchRequestSchema } from '@tickmark/domain';
import type { HttpReply, HttpRequest, HttpServer } from '@tickmark/http';
import { acceptBatch } from '@tickmark/queues';
import { z } from 'zod';
import { readKeyHeader } from '../idempotency-key.ts';
import type { MessageRoutesOptions } from './messages.ts';

const BODY_BYTES_MAX = 4 * 1024 * 1024;

/** Batches read and worked on at one time: with bodies of 4 MiB this bounds what they hold in memory to 64 MiB, and some times that as objects. */
const IN_FLIGHT_MAX = 16;
const RETRY_AFTER_SECONDS = 1;

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
      onRequest: [...authenticator.require('send'), createBatchGate(IN_FLIGHT_MAX)],
      bodyLimit: BODY_BYTES_MAX,
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

/** Lets so many requests pass at one time, before their bodies are read. */
function createBatchGate(inFlightMax: number) {
  let inFlight = 0;
  return async (_request: HttpRequest, reply: HttpReply): Promise<void> => {
    if (inFlight >= inFlightMax) {
      const message = 'Too many batches are under way here. Send this one again after the time in Retry-After.';
      throw new AppError('OVERLOADED', message, { retryAfterSeconds: RETRY_AFTER_SECONDS });
    }
    inFlight += 1;
    reply.raw.once('close', () => {
      inFlight -= 1;
    });
  };
}
