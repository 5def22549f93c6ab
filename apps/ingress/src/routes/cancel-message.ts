import { AppError, type ApiErrorCode, type CancelResult } from '@tickmark/domain';
import { cancelMessage, type Producers } from '@tickmark/queues';
import { z } from 'zod';
import type { HttpServer } from '@tickmark/http';
import type { MessageRoutesOptions } from './messages.ts';

const paramsSchema = z.object({ id: z.string().describe('id of the message') });

export interface CancelMessageOptions extends Pick<MessageRoutesOptions, 'authenticator' | 'hidden'> {
  producers: Pick<Producers, 'requestCancel'>;
  cancelDeadlineMs: number;
}

/**
 * `DELETE /v1/messages/:id`: ends a message of this producer that was not sent yet. A worker decides, because only it sees the row; when none
 * answers in time, 202 says that the request is kept and will be carried out.
 */
export function addCancelMessageRoute(server: HttpServer, options: CancelMessageOptions): void {
  const { authenticator, hidden, cancelDeadlineMs } = options;
  server.delete(
    '/v1/messages/:id',
    {
      onRequest: authenticator.require('send'),
      schema: {
        hide: hidden,
        tags: ['messages'],
        summary: 'Cancel a message that was not sent yet',
        params: paramsSchema,
        response: {
          200: z.object({ id: z.uuid(), status: z.literal('canceled') }),
          202: z.object({ id: z.uuid(), status: z.literal('cancel_requested') }),
        },
      },
    },
    async (request, reply) => {
      const id = request.params.id.toLowerCase();
      const result = await cancelMessage(options.producers, { id, producer: request.producer }, cancelDeadlineMs);
      if (result === 'cancel_requested') return reply.code(202).send({ id, status: result });
      if (result !== 'canceled') throw refusalOf(result);
      return reply.code(200).send({ id, status: 'canceled' });
    },
  );
}

const REFUSALS = {
  already_sent: {
    code: 'MESSAGE_ALREADY_SENT',
    message: 'Twilio has this message, or may have it: it cannot be called back. Look at its status.',
  },
  final: {
    code: 'MESSAGE_FINAL',
    message: 'This message has ended without being sent, so there is nothing to cancel. Look at its status.',
  },
  not_found: {
    code: 'MESSAGE_NOT_FOUND',
    message: 'Your key has sent no message of this id. Check it, and use the key that sent the message.',
  },
} as const satisfies Record<Exclude<CancelResult, 'canceled'>, { code: ApiErrorCode; message: string }>;

function refusalOf(result: keyof typeof REFUSALS): AppError {
  const { code, message } = REFUSALS[result];
  return new AppError(code, message);
}
