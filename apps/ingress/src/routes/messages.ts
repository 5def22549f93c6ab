import { AppError, messageRequestSchema, validateMessageRequest, type MessageRequest } from '@tickmark/domain';
import type { Authenticator, HttpRequest, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { acceptMessage, type AcceptMessageDeps } from '../accept-message.ts';
import { readIdempotencyKey } from '../idempotency-key.ts';
import { chooseSender, refuseForeignRecipient, type MessagePolicy } from '../message-policy.ts';

/** Twice what the largest body, variables and metadata need when every character is escaped. */
const BODY_BYTES_MAX = 65_536;

const acceptedSchema = z.object({ id: z.uuid(), status: z.literal('accepted') });

const headersSchema = z.object({
  'idempotency-key': z.string().optional().describe('1 to 255 characters; the same key never sends a second message'),
});

export interface MessageRoutesOptions extends AcceptMessageDeps {
  authenticator: Authenticator;
  policy: MessagePolicy;
  /** Under a path prefix as well: told once in the documentation. */
  hidden: boolean;
}

/** `POST /v1/messages`: answered 202 when the message is durable in Redis; every refusal comes before anything is written. */
export function addMessageRoutes(server: HttpServer, options: MessageRoutesOptions): void {
  const { authenticator, policy, hidden } = options;
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
      const asked = parseMessageRequest(request.body);
      const sender = chooseSender(policy, request.apiKey, asked.from);
      refuseForeignRecipient(policy, asked.to);
      const key = readIdempotencyKey(request.producer, request.headers['idempotency-key']);
      const { id, replayed } = await acceptMessage(options, { producer: request.producer, key, sender, asked });
      if (replayed) reply.header('idempotency-replayed', 'true');
      return reply.code(202).send({ id, status: 'accepted' });
    },
  );
}

function parseMessageRequest(body: HttpRequest['body']): MessageRequest {
  const result = validateMessageRequest(body);
  if (result.ok) return result.request;
  const problems = result.problems.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)).join('; ');
  throw new AppError(result.code, `Correct the message and send it again: ${problems}.`, { details: result.problems });
}
