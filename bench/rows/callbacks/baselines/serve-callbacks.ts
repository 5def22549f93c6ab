import type { StatusEvent } from '@tickmark/domain';
import { parseForm, parseStatusCallback, verifySignature, webhookUrl, type FormParams } from '@tickmark/twilio';
import { fastify } from 'fastify';

/** What becomes of a verified callback before its answer. */
export type StoreCallback = (event: StatusEvent) => Promise<unknown>;

/**
 * The HTTP side of every baseline: bare Fastify without logger, hooks or schemas, with our own form parser (Node's and @fastify/formbody cost
 * more), the same signature check as ours, and one handler.
 *
 * @param options.store null: nothing is stored
 * @param options.isVerified false: not even the signature is looked at
 */
export async function serveCallbacks({ store, isVerified = true }: { store: StoreCallback | null; isVerified?: boolean }): Promise<void> {
  const { PORT = '', AUTH_TOKEN = '', PUBLIC_BASE_URL = '' } = process.env;
  const tokens = [AUTH_TOKEN];
  const server = fastify();
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, parseForm(body as Buffer)),
  );
  server.get('/health/ready', async () => 'ready');
  server.post('/webhooks/twilio/status', async (request, reply) => {
    const params = request.body as FormParams;
    const signature = request.headers['x-twilio-signature'] as string | undefined;
    if (isVerified && !verifySignature({ tokens, url: webhookUrl(PUBLIC_BASE_URL, request.url), params, signature }).valid)
      return reply.code(403).send();
    if (store) {
      const parsed = parseStatusCallback(params, request.query, new Date());
      if (!parsed.ok) return reply.code(400).send();
      await store(parsed.event);
    }
    return reply.code(204).send();
  });
  await server.listen({ port: Number(PORT), host: '127.0.0.1' });
  endWithParent();
}

/** The bench that started us is gone, or wants us gone: a baseline has nothing worth an orderly end. */
export function endWithParent(): void {
  process.on('disconnect', () => process.exit(0));
}
