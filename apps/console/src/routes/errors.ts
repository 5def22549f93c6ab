import { getErrorDescription } from '@tickmark/delivery';
import { ERROR_CLASSES, RETRY_DECISIONS, searchErrors } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { digits } from '../query-params.ts';

const errorSchema = z
  .object({
    code: z.int(),
    class: z.enum(ERROR_CLASSES).describe('what kind of trouble it is'),
    meaning: z.string(),
    cause: z.string().describe('why it usually comes'),
    remedy: z.string().describe('what to do'),
    retry: z.enum(RETRY_DECISIONS).describe('what may happen to the message by itself; a policy of the code stands above it'),
    known: z.boolean().describe('false: the code is not in our table, and class and retry are the cautious default'),
  })
  .meta({ title: 'Error' });

const paramsSchema = z.object({
  code: digits(z.number('a code is a number, such as 63016').min(0)).describe('error code of Twilio'),
});

const querySchema = z.strictObject({
  q: z.string().max(200).optional().describe('words that must all occur in the code, its class or its texts; all codes unless given'),
});

/** What error codes of Twilio mean. */
export function addErrorRoutes(server: HttpServer, { authenticator }: { authenticator: Authenticator }): void {
  const shared = { onRequest: authenticator.require('read') };
  const documented = { tags: ['errors'] };

  server.get(
    '/v1/errors',
    {
      ...shared,
      schema: {
        ...documented,
        summary: 'The error codes that a message can show, all or by a search',
        querystring: querySchema,
        response: { 200: z.object({ items: z.array(errorSchema) }) },
      },
    },
    async (request) => ({ items: searchErrors(request.query.q ?? '') }),
  );

  server.get(
    '/v1/errors/:code',
    {
      ...shared,
      schema: {
        ...documented,
        summary: 'What an error code means, and what to do',
        description: 'A code that nobody knows here is answered too, with known: false.',
        params: paramsSchema,
        response: { 200: errorSchema },
      },
    },
    (request) => getErrorDescription({}, request.params),
  );
}
