import { changeSuppressions, listSenders, listSuppressions, suppressionEvents, type Database, type Suppression } from '@tickmark/delivery';
import { AppError, reasonSchema, storableText, type SuppressionCategory } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { cursorParam, encodeCursor } from '../cursor.ts';
import { NO_REASON, optionalReasonField } from '../operator-fields.ts';
import { cursorTime, limitParam, recipientParam } from '../query-params.ts';
import { withStore } from '../with-store.ts';

const CATEGORIES = ['all', 'marketing'] as const satisfies readonly SuppressionCategory[];

/** One transaction for all of them, times the senders. */
const RECIPIENTS_MAX = 500;
const BODY_BYTES_MAX = 131_072;

const suppressionSchema = z
  .object({
    recipient: z.string(),
    sender: z.string().nullable().describe('alias; null when the address is none of our senders'),
    from: z.string().describe('address of the sender'),
    category: z.enum(CATEGORIES).describe('what is not sent'),
    source: z.enum(['inbound', 'error', 'operator', 'import']).describe('who said so: the person, Twilio, or one of us'),
    reason: z.string().nullable(),
    at: z.iso.datetime().describe('when it was said'),
  })
  .meta({ title: 'Suppression' });

const sender = storableText(64).optional().describe('alias or address of one sender; all of them unless given');

const positionSchema = z
  .tuple([cursorTime, storableText(200), storableText(200), z.enum(CATEGORIES)])
  .transform(([at, recipient, senderAddress, category]) => ({ at, recipient, senderAddress, category }));

const listSchema = z.strictObject({
  recipient: recipientParam.optional().describe('of one person, with or without whatsapp:'),
  sender,
  category: z.enum(CATEGORIES).optional().describe('of one category'),
  limit: limitParam,
  cursor: cursorParam(positionSchema).optional(),
});

const addSchema = z
  .strictObject({
    recipient: recipientParam.optional(),
    recipients: z.array(recipientParam).min(1).max(RECIPIENTS_MAX).optional(),
    sender,
    category: z.enum(CATEGORIES).default('all').describe('what is not to be sent'),
    reason: reasonSchema.describe('why, for the audit log'),
  })
  .refine(({ recipient, recipients }) => (recipient === undefined) !== (recipients === undefined), 'give recipient or recipients');

const removeSchema = z.strictObject({
  recipient: recipientParam.describe('who may be written to again, with or without whatsapp:'),
  sender,
  category: z.enum(CATEGORIES).optional().describe('what may be sent again; everything unless given'),
  reason: optionalReasonField,
});

const changedSchema = z.object({
  senders: z.array(z.string()).describe('aliases of the senders that are meant'),
  categories: z.array(z.enum(CATEGORIES)),
});

/** Who is not written to, beside what people and Twilio say themselves. */
export function addSuppressionRoutes(server: HttpServer, { db, authenticator }: { db: Database; authenticator: Authenticator }): void {
  const documented = { tags: ['suppressions'] };
  const admin = { onRequest: authenticator.require('admin') };

  server.get(
    '/v1/suppressions',
    {
      onRequest: authenticator.require('read'),
      schema: {
        ...documented,
        summary: 'Who is not written to, by whom, since when and why',
        querystring: listSchema,
        response: {
          200: z.object({
            items: z.array(suppressionSchema),
            nextCursor: z.string().nullable().describe('where the list goes on; null = there is nothing more'),
          }),
        },
      },
    },
    async (request) => {
      const { recipient = null, category = null, limit, cursor = null } = request.query;
      return withStore(db, async () => {
        const one = request.query.sender === undefined ? null : (await findSenders(db, request.query.sender))[0];
        const filter = { recipient, senderAddress: one?.address ?? null, category };
        const found = await listSuppressions(db, { ...filter, after: cursor, limit: limit + 1 });
        const items = found.slice(0, limit);
        const last = found.length > limit ? items.at(-1) : undefined;
        return { items: items.map(describeSuppression), nextCursor: last ? toCursor(last) : null };
      });
    },
  );

  server.post(
    '/v1/suppressions',
    {
      ...admin,
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        ...documented,
        summary: 'Write to somebody no more',
        description:
          'It holds from the next message on. What the person says later (STOP, START) stands above it. It goes to the audit log.',
        body: addSchema,
        response: { 200: changedSchema.extend({ changed: z.int().describe('suppressions that are new or newer') }) },
      },
    },
    async (request) => {
      const { recipient, recipients = recipient === undefined ? [] : [recipient], category, reason: why } = request.body;
      const said = { recipients, categories: [category], suppressed: true, reason: why };
      const { senders, changed } = await say(db, request.producer, request.body.sender, said);
      return { senders, categories: said.categories, changed };
    },
  );

  server.delete(
    '/v1/suppressions',
    {
      ...admin,
      schema: {
        ...documented,
        summary: 'Write to somebody again',
        description: 'It goes to the audit log.',
        querystring: removeSchema,
        response: {
          200: changedSchema.extend({ lifted: z.int().describe('suppressions that ended; 0 = nothing was kept from this person') }),
        },
      },
    },
    async (request) => {
      const { recipient, category, reason: why = NO_REASON } = request.query;
      const categories = category === undefined ? [...CATEGORIES] : [category];
      const said = { recipients: [recipient], categories, suppressed: false, reason: why };
      const { senders, lifted } = await say(db, request.producer, request.query.sender, said);
      return { senders, categories, lifted };
    },
  );
}

type Said = Omit<Parameters<typeof suppressionEvents>[0], 'senderAddresses'>;

async function say(db: Database, actor: string, name: string | undefined, said: Said) {
  return withStore(db, async () => {
    const meant = await findSenders(db, name);
    const senders = meant.map(({ alias }) => alias);
    const events = suppressionEvents({ ...said, senderAddresses: meant.map(({ address }) => address) });
    const details = { recipient: said.recipients.join(','), category: said.categories.join('+'), senders: senders.join(',') };
    const action = said.suppressed ? 'suppression_added' : 'suppression_removed';
    return { senders, ...(await changeSuppressions(db, events, { actor, action, reason: said.reason, details })) };
  });
}

async function findSenders(db: Database, name: string | undefined) {
  const all = await listSenders(db);
  const found = name === undefined ? all : all.filter(({ alias, address }) => alias === name || address === name);
  if (found.length > 0) return found;
  const known = all.length === 0 ? 'None yet: start a worker, which takes them from TWILIO_SENDERS.' : 'GET /v1/senders lists them.';
  throw new AppError('UNKNOWN_SENDER', `There is no such sender. ${known}`);
}

function describeSuppression({ senderAddress, ...suppression }: Suppression): z.infer<typeof suppressionSchema> {
  return { ...suppression, from: senderAddress };
}

function toCursor({ at, recipient, senderAddress, category }: Suppression): string {
  return encodeCursor([at, recipient, senderAddress, category]);
}
