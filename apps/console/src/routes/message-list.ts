import { listMessages, type Database, type MessageFilter, type MessagePage, type MessagePosition } from '@tickmark/delivery';
import { AppError, messageIdFor, storableText } from '@tickmark/domain';
import type { ApiKeyIdentity, HttpServer } from '@tickmark/http';
import type { Logger } from '@tickmark/runtime';
import { z } from 'zod';
import { withStore } from '../with-store.ts';
import { encodeMessageCursor, messageCursorParam } from '../cursor.ts';
import { chooseExportFormat, EXPORT_PAGE_ITEMS, EXPORT_TYPES, exportMessages } from '../export-messages.ts';
import { messageFilterParams } from '../message-filter-schema.ts';
import { messageSchema, messageSummarySchema } from '../message-schema.ts';
import { ownProducer } from '../own-producer.ts';
import { limitParam } from '../query-params.ts';
import { findVisibleMessage, type MessageRoutesOptions } from './messages.ts';

/** A stream may be silent for so long: while it looks for something rare, or while its reader rests. */
const EXPORT_SILENCE_MS_MAX = 60_000;

/** How long one request goes on over messages that do not fit before it answers an empty page. */
const SEARCH_MS_MAX = 2_000;

/** What may stand beside an idempotency key: it names one message. */
const BESIDE_KEY = new Set(['idempotencyKey', 'producer', 'limit']);

const querySchema = z
  .strictObject({
    ...messageFilterParams,
    limit: limitParam,
    cursor: messageCursorParam.optional(),
    idempotencyKey: storableText(255)
      .optional()
      .describe('the key that the message was sent with; beside it only producer, your own unless told'),
  })
  .superRefine((query, context) => {
    if (query.idempotencyKey === undefined) return;
    if ((query.producer?.length ?? 0) > 1)
      context.addIssue({ code: 'custom', path: ['producer'], message: 'name one: a key is that of one producer' });
    for (const [name, value] of Object.entries(query)) {
      if (value === undefined || BESIDE_KEY.has(name)) continue;
      context.addIssue({ code: 'custom', path: [name], message: 'leave it out: an idempotencyKey names one message' });
    }
  });

const answerSchema = z.union([
  z.object({
    items: z.array(messageSummarySchema),
    nextCursor: z.string().nullable().describe('where the list goes on; null = there is nothing more'),
  }),
  z.object({ items: z.array(messageSchema).max(1) }).describe('with idempotencyKey'),
]);

/** A text for whoever asks; for us a stream, which no serializer touches. */
const streamSchema = z.string() as z.ZodType;

const DESCRIPTION = `The newest first. Every parameter narrows the list; of a repeated one any value counts. A page looks at 10,000 messages,
and goes on for two seconds while it has found none: of something rare it may hold fewer items than limit, even none, and still have a nextCursor; the list ends where nextCursor is null. A key with the
scope send sees its own messages alone, and none when it names another producer. With Accept: text/csv or application/x-ndjson everything that fits is
streamed (limit says nothing then); a stream that breaks off was not completed.`;

/** Lists, look-ups by idempotency key, exports. */
export function addMessageListRoute(
  server: HttpServer,
  { db, log, authenticator, producers }: MessageRoutesOptions & { log: Logger; producers: () => readonly string[] },
): void {
  server.get(
    '/v1/messages',
    {
      onRequest: authenticator.require('read', 'send'),
      schema: {
        tags: ['messages'],
        summary: 'Messages by what they have in common, or the one that an idempotency key led to',
        description: DESCRIPTION,
        querystring: querySchema,
        response: {
          200: {
            description: 'The messages, or a part of them.',
            content: {
              'application/json': { schema: answerSchema },
              [EXPORT_TYPES.csv]: { schema: streamSchema },
              [EXPORT_TYPES.ndjson]: { schema: streamSchema },
            },
          },
        },
      },
    },
    async (request, reply) => {
      const { idempotencyKey, limit, cursor, ...filter } = request.query;
      if (idempotencyKey !== undefined) {
        const others = ownProducer(request.apiKey) === null ? producers() : [];
        const names = filter.producer ?? [request.producer, ...others];
        return { items: await findByKey(db, request.apiKey, names, idempotencyKey) };
      }
      const format = chooseExportFormat(request.headers.accept);
      const read = (after: MessagePosition | null, items: number) => readPage(db, request.apiKey, filter, after, items);
      const first = await read(cursor ?? null, format === null ? limit : EXPORT_PAGE_ITEMS);
      if (format === null) return { items: first.items, nextCursor: encodeMessageCursor(first.next) };
      request.raw.socket.setTimeout(EXPORT_SILENCE_MS_MAX);
      const stream = exportMessages(format, first, (after) => read(after, EXPORT_PAGE_ITEMS));
      stream.on('error', (error) => log.warn({ requestId: request.id, err: error }, 'export broke off'));
      reply.header('Content-Disposition', `attachment; filename="messages.${format}"`);
      return reply.type(`${EXPORT_TYPES[format]}; charset=utf-8`).send(stream);
    },
  );
}

/** Whoever asks for somebody else rarely knows under whose name it was sent: the first name under which there is one counts. */
async function findByKey(db: Database, identity: ApiKeyIdentity | null, names: readonly string[], idempotencyKey: string) {
  const ids = new Set(names.map((name) => messageIdFor(name, idempotencyKey)));
  for (const id of ids) {
    if (id === null) {
      const message = 'after the prefix id: comes the UUID of a message';
      throw new AppError('VALIDATION_FAILED', `Correct idempotencyKey: ${message}.`, { details: [{ path: 'idempotencyKey', message }] });
    }
    // oxlint-disable-next-line no-await-in-loop -- the first that is found counts
    const message = await findVisibleMessage(db, identity, id);
    if (message) return [message];
  }
  return [];
}

/** What of the filter the key may see. */
async function readPage(
  db: Database,
  identity: ApiKeyIdentity | null,
  filter: MessageFilter,
  after: MessagePosition | null,
  limit: number,
): Promise<MessagePage> {
  const own = ownProducer(identity);
  if (own !== null && filter.producer?.includes(own) === false) return { items: [], next: null };
  const visible = own === null ? filter : { ...filter, producer: [own] };
  return withStore(db, async () => {
    const untilMs = performance.now() + SEARCH_MS_MAX;
    let page = await listMessages({ db }, { filter: visible, after, limit });
    while (page.items.length === 0 && page.next !== null && performance.now() < untilMs) {
      // oxlint-disable-next-line no-await-in-loop -- each goes on where the one before ended
      page = await listMessages({ db }, { filter: visible, after: page.next, limit });
    }
    return page;
  });
}
