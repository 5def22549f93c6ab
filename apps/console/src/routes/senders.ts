import { changeSender, listSenders, type Database } from '@tickmark/delivery';
import { AppError, storableText } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { optionalReasonField } from '../operator-fields.ts';
import { withStore } from '../with-store.ts';

const STATES = ['active', 'paused'] as const;

/** As in TWILIO_SENDERS. */
const MPS_MAX = 1e9;

const senderSchema = z
  .object({
    alias: z.string(),
    address: z.string().describe('whatsapp:+<number>, or a Messaging Service MG…'),
    mps: z.number().describe('messages per second at most'),
    state: z.enum(STATES).describe('paused: nothing is sent by it, and its messages wait'),
  })
  .meta({ title: 'Sender' });

const changeSchema = z
  .strictObject({
    mps: z.number().positive().max(MPS_MAX).optional().describe('messages per second at most'),
    state: z.enum(STATES).optional(),
    reason: optionalReasonField,
  })
  .refine(({ mps, state }) => mps !== undefined || state !== undefined, 'give mps, state or both');

/** Our senders, their pace and whether they send. */
export function addSenderRoutes(server: HttpServer, { db, authenticator }: { db: Database; authenticator: Authenticator }): void {
  const documented = { tags: ['senders'] };

  server.get(
    '/v1/senders',
    {
      onRequest: authenticator.require('read'),
      schema: {
        ...documented,
        summary: 'Every sender, its pace and its state',
        response: { 200: z.object({ items: z.array(senderSchema) }) },
      },
    },
    async () => ({ items: await withStore(db, () => listSenders(db)) }),
  );

  server.post(
    '/v1/senders/:alias',
    {
      onRequest: authenticator.require('admin'),
      schema: {
        ...documented,
        summary: 'Change the pace of a sender, pause it, or let it go on',
        description: 'Workers follow within 5 s. What was handed to Twilio before is not called back. It goes to the audit log.',
        params: z.object({ alias: storableText(64).describe('alias of the sender') }),
        body: changeSchema,
        response: { 200: senderSchema },
      },
    },
    async (request) => {
      const { mps, state, reason = null } = request.body;
      const change = { alias: request.params.alias, mps, state, actor: request.producer, reason };
      const sender = await withStore(db, () => changeSender(db, change));
      if (sender === null) throw new AppError('NOT_FOUND', 'There is no sender of this alias: GET /v1/senders lists them.');
      return sender;
    },
  );
}
