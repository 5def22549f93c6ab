import { getMessageDeliveryStatus, type Database, type MessageDeliveryStatus } from '@tickmark/delivery';
import { AppError } from '@tickmark/domain';
import type { ApiKeyIdentity, Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { withStore } from '../with-store.ts';
import { messageSchema } from '../message-schema.ts';
import { ownProducer } from '../own-producer.ts';

const paramsSchema = z.object({ id: z.string().describe('id of the message, or its SID at Twilio') });

export interface MessageRoutesOptions {
  db: Database;
  authenticator: Authenticator;
}

/** One message. A key with the scope read sees every one, one with the scope send its own. */
export function addMessageRoutes(server: HttpServer, { db, authenticator }: MessageRoutesOptions): void {
  server.get(
    '/v1/messages/:id',
    {
      onRequest: authenticator.require('read', 'send'),
      schema: {
        tags: ['messages'],
        summary: 'What became of one message',
        description: 'By its id or by any SID that it had at Twilio. A key with the scope send finds its own messages alone.',
        params: paramsSchema,
        response: { 200: messageSchema },
      },
    },
    async (request) => {
      const message = await findVisibleMessage(db, request.apiKey, request.params.id);
      if (message) return message;
      throw new AppError(
        'MESSAGE_NOT_FOUND',
        'There is no message of this id or SID that your key may see: check it, or use a key with the scope read.',
      );
    },
  );
}

/** Null when there is none, or when this key may not see it. */
export async function findVisibleMessage(
  db: Database,
  identity: ApiKeyIdentity | null,
  idOrSid: string,
): Promise<MessageDeliveryStatus | null> {
  const message = await withStore(db, () => getMessageDeliveryStatus({ db }, { idOrSid }));
  const own = ownProducer(identity);
  return own === null || message?.producer === own ? message : null;
}
