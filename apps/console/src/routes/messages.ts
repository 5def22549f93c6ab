import { getMessageDeliveryStatus, type Database, type MessageDeliveryStatus } from '@tickmark/delivery';
import { AppError, describeError, messageIdFor } from '@tickmark/domain';
import type { ApiKeyIdentity, Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { messageSchema } from '../message-schema.ts';
import { withStore } from '../with-store.ts';

const paramsSchema = z.object({ id: z.string().describe('id of the message, or its SID at Twilio') });

const querySchema = z.strictObject({
  idempotencyKey: z.string('give the key that the message was sent with').min(1).max(255),
  producer: z.string().min(1).max(128).optional().describe('name of the API key that sent it; your own unless told'),
});

export interface MessageRoutesOptions {
  db: Database;
  authenticator: Authenticator;
}

/** A key with the scope read sees every message, one with the scope send its own. */
export function addMessageRoutes(server: HttpServer, { db, authenticator }: MessageRoutesOptions): void {
  const shared = { onRequest: authenticator.require('read', 'send') };
  const documented = { tags: ['messages'] };

  server.get(
    '/v1/messages/:id',
    {
      ...shared,
      schema: { ...documented, summary: 'What became of one message', params: paramsSchema, response: { 200: messageSchema } },
    },
    async (request) => {
      const message = await findMessage(db, request.apiKey, request.params.id);
      if (message) return message;
      throw new AppError(
        'MESSAGE_NOT_FOUND',
        'There is no message of this id or SID that your key may see: check it, or use a key with the scope read.',
      );
    },
  );

  server.get(
    '/v1/messages',
    {
      ...shared,
      schema: {
        ...documented,
        summary: 'The message that an idempotency key led to',
        querystring: querySchema,
        response: { 200: z.object({ items: z.array(messageSchema).max(1) }) },
      },
    },
    async (request) => {
      const { idempotencyKey, producer = request.producer } = request.query;
      const id = messageIdFor(producer, idempotencyKey);
      if (id === null) {
        const message = 'after the prefix id: comes the UUID of a message';
        throw new AppError('VALIDATION_FAILED', `Correct idempotencyKey: ${message}.`, { details: [{ path: 'idempotencyKey', message }] });
      }
      const message = await findMessage(db, request.apiKey, id);
      return { items: message ? [message] : [] };
    },
  );
}

async function findMessage(db: Database, identity: ApiKeyIdentity | null, idOrSid: string): Promise<MessageDeliveryStatus | null> {
  const message = await withStore(db, () => getMessageDeliveryStatus({ db, describeError }, { idOrSid }));
  const maySeeAll = identity?.scopes.includes('read') ?? false;
  return maySeeAll || message?.producer === identity?.name ? message : null;
}
