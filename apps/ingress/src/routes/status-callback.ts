import { AppError } from '@tickmark/domain';
import { acceptRawForms, type HttpServer } from '@tickmark/http';
import type { Clock, Logger, Metrics } from '@tickmark/runtime';
import { parseStatusCallback } from '@tickmark/twilio';
import type { CommitOrSpool } from '../commit-or-spool.ts';
import { commitWebhook, countTooLarge } from '../commit-webhook.ts';
import { refuseForeignAccount, verifyWebhook, type WebhookVerification } from '../verify-webhook.ts';

export interface WebhookRoutesOptions extends WebhookVerification {
  accountSid: string;
  durable: Pick<CommitOrSpool, 'statusCallback' | 'inbound'>;
  clock: Clock;
  log: Logger;
  metrics: Metrics;
  /** Under a path prefix as well: told once in the documentation. */
  hidden: boolean;
}

/** `POST /webhooks/twilio/status`: 204 only when the status is durable, in Redis or on disk. What we do not know (words, sids, parameters) is accepted. */
export function addStatusCallbackRoute(server: HttpServer, options: WebhookRoutesOptions): void {
  const { accountSid, durable, clock, metrics } = options;
  acceptRawForms(server);
  countTooLarge(server, metrics);
  server.post(
    '/webhooks/twilio/status',
    {
      config: { quiet: true, shed: 'last' },
      schema: { hide: options.hidden, tags: ['webhooks'], summary: 'Status callback of Twilio: a signed form' },
    },
    async (request, reply) => {
      const params = verifyWebhook(options, request);
      const parsed = parseStatusCallback(params, request.query, clock.now());
      refuseForeignAccount(accountSid, parsed.accountSid, metrics);
      if (!parsed.ok) {
        metrics.callbacksReceived.inc({ result: 'missing_sid' });
        throw new AppError('VALIDATION_FAILED', 'A status callback needs MessageSid and MessageStatus: send it as Twilio does.');
      }
      await commitWebhook(options, durable.statusCallback(parsed.event));
      return reply.code(204).send();
    },
  );
}
