import { AppError } from '@tickmark/domain';
import { acceptRawForms, type HttpServer } from '@tickmark/http';
import { parseInbound } from '@tickmark/twilio';
import { commitWebhook, countTooLarge } from '../commit-webhook.ts';
import { refuseForeignAccount, verifyWebhook } from '../verify-webhook.ts';
import type { WebhookRoutesOptions } from './status-callback.ts';

/** TwiML that answers nothing to the person who wrote. */
const EMPTY_ANSWER = '<Response/>';

/** `POST /webhooks/twilio/inbound`: 200 with empty TwiML only when the message is durable, in Redis or on disk. */
export function addInboundRoute(server: HttpServer, options: WebhookRoutesOptions): void {
  const { accountSid, durable, clock, metrics } = options;
  acceptRawForms(server);
  countTooLarge(server, metrics);
  server.post(
    '/webhooks/twilio/inbound',
    {
      config: { quiet: true, shed: 'last' },
      schema: { hide: options.hidden, tags: ['webhooks'], summary: 'Inbound message of Twilio: a signed form' },
    },
    async (request, reply) => {
      const params = verifyWebhook(options, request);
      const parsed = parseInbound(params, clock.now());
      refuseForeignAccount(accountSid, parsed.accountSid, metrics);
      if (!parsed.ok) {
        metrics.callbacksReceived.inc({ result: 'missing_sid' });
        throw new AppError('VALIDATION_FAILED', 'An inbound message needs MessageSid, From and To: send it as Twilio does.');
      }
      await commitWebhook(options, durable.inbound(parsed.message));
      return reply.code(200).type('text/xml').send(EMPTY_ANSWER);
    },
  );
}
