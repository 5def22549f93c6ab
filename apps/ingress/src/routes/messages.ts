import { messageRequestSchema, prepareMessage, type MessagePolicy } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import type { MessageAcceptor } from '@tickmark/queues';
import type { Clock, Logger } from '@tickmark/runtime';
import { z } from 'zod';
import { readIdempotencyKey } from '../idempotency-key.ts';

/** Twice what the largest body, variables and metadata need when every character is escaped. */
const BODY_BYTES_MAX = 65_536;

const acceptedSchema = z.object({ id: z.uuid(), status: z.enum(['accepted', 'scheduled']) });

const headersSchema = z.object({
  'idempotency-key': z.string().optional().describe('1 to 255 characters; the same key never sends a second message'),
});

export interface MessageRoutesOptions {
  acceptor: MessageAcceptor;
  authenticator: Authenticator;
  policy: MessagePolicy;
  clock: Clock;
  log: Logger;
  /** Under a path prefix as well: told once in the documentation. */
  hidden: boolean;
}

/** `POST /v1/messages`: answered 202 when the message is durable in Redis; every refusal comes before anything is written. */
export function addMessageRoutes(server: HttpServer, options: MessageRoutesOptions): void {
  const { acceptor, authenticator, policy, clock, hidden } = options;
  server.post(
    '/v1/messages',
    {
      onRequest: authenticator.require('send'),
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        hide: hidden,
        tags: ['messages'],
        summary: 'Accept one message for sending',
        headers: headersSchema,
        body: messageRequestSchema,
        response: { 202: acceptedSchema },
      },
      // The schema above is for the documentation: the refusals have codes of their own, which the domain's validation gives.
      validatorCompiler: () => (value: unknown) => ({ value }),
    },
    async (request, reply) => {
      const { producer, apiKey } = request;
      const key = readIdempotencyKey(producer, request.headers['idempotency-key']);
      const context = { producer, aliases: apiKey?.aliases ?? null, policy, now: clock.now() };
      const message = prepareMessage(request.body, key.id, context);
      const { id, status, replayed } = await acceptor.accept({ message, keyGiven: key.given });
      if (replayed) reply.header('idempotency-replayed', 'true');
      return reply.code(202).send({ id, status });
    },
  );
}
