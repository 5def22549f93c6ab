import {
  getMessageDeliveryStatus,
  getPhoneDeliveryMetrics,
  getPlatformDeliveryMetrics,
  getReceiptCompleteness,
  listMessages,
  type Database,
  type MessageFilter,
} from '@tickmark/delivery';
import { describeError } from '@tickmark/domain';
import type postgres from 'postgres';
import type { LoadedDatabase } from './load-once.ts';

/** One message of the tables, as its row says. */
export interface KnownMessage {
  id: string;
  messageSid: string | null;
  recipient: string;
  campaign: string;
  status: string;
  createdAt: Date;
  /** Lines of its log. */
  lines: number;
  /** Messages to the same recipient, itself included. */
  toRecipient: number;
}

export interface Question {
  /** Stable: the key in `--json`. */
  name: string;
  title: string;
  /** Asks about one message. What comes back says whether the answer is what the raw rows say: that is not part of the time. */
  ask: (message: KnownMessage) => Promise<() => boolean | Promise<boolean>>;
  /** Of so many messages at most. */
  asksMax?: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

const PAGE_ITEMS = 50;

/** Messages from all over the time of the tables, each with a sid and a campaign. */
export async function sampleMessages(
  sql: postgres.Sql,
  { generated: { days, until } }: LoadedDatabase,
  count: number,
): Promise<KnownMessage[]> {
  const times = Array.from({ length: count }, (_, index) => new Date(until.getTime() - (days * DAY_MS * (index + 1)) / (count + 1)));
  return sql<KnownMessage[]>`
    SELECT m.id, m.message_sid AS "messageSid", m.recipient, m.campaign, m.status, m.created_at AS "createdAt",
      (SELECT count(*)::int FROM message_status_logs l WHERE l.message_sid = m.message_sid) AS lines,
      (SELECT count(*)::int FROM whatsapp_messages o WHERE o.recipient = m.recipient) AS "toRecipient"
    FROM unnest(${times.map((time) => time.toISOString())}::text[]::timestamptz[]) AS t (at) CROSS JOIN LATERAL (
      SELECT * FROM whatsapp_messages WHERE created_at >= t.at AND message_sid IS NOT NULL AND campaign IS NOT NULL ORDER BY created_at, id LIMIT 1
    ) AS m
    ORDER BY md5(m.id::text)`;
}

export function makeQuestions(db: Database): Question[] {
  const byKey = (read: (message: KnownMessage) => string | null) => async (message: KnownMessage) => {
    const answer = await getMessageDeliveryStatus({ db, describeError }, { idOrSid: read(message) ?? '' });
    const lines = answer?.timeline.filter(({ kind }) => kind === 'callback' || kind === 'reconciled').length;
    return () => answer?.id === message.id && answer.status === message.status && lines === message.lines;
  };
  const list = (filter: MessageFilter) => listMessages({ db }, { filter, after: null, limit: PAGE_ITEMS });
  const failed = ['failed', 'undelivered'] as const;
  return [
    { name: 'by-id', title: 'message by id, with its timeline', ask: byKey(({ id }) => id) },
    { name: 'by-sid', title: 'message by sid, with its timeline', ask: byKey(({ messageSid }) => messageSid) },
    {
      name: 'by-recipient',
      title: 'the messages to one recipient, 50 at most',
      ask: async ({ recipient, toRecipient }) => {
        const { items } = await list({ to: [recipient] });
        return () => items.length === Math.min(PAGE_ITEMS, toRecipient) && items.every(({ to }) => to === recipient);
      },
    },
    {
      name: 'by-campaign',
      title: 'a page of 50 of a campaign, up to some time',
      ask: async ({ id, campaign, createdAt }) => {
        const { items } = await list({ campaign: [campaign], until: new Date(createdAt.getTime() + 1) });
        return () => items.some((item) => item.id === id) && items.every((item) => item.campaign === campaign);
      },
    },
    {
      name: 'failed',
      title: 'a page of 50 that failed, up to some time',
      ask: async ({ createdAt }) => {
        const { items, next } = await list({ status: failed, until: createdAt });
        return () =>
          (items.length === PAGE_ITEMS || next === null) && items.every((item) => failed.some((status) => status === item.status));
      },
    },
    {
      name: 'phone',
      title: 'metrics of a recipient over 31 days',
      ask: async ({ recipient, createdAt }) => {
        const range = daysUntil(createdAt, 31);
        const { recipient: answer } = await getPhoneDeliveryMetrics({ db }, { phone: recipient, bucket: 'day', ...range });
        return async () => answer.totals.messages === (await countMessages(db, range, recipient));
      },
    },
    platformOver(db, { name: 'platform-day', title: 'platform metrics of 24 hours, by hour', days: 1, bucket: 'hour', asksMax: 100 }),
    platformOver(db, { name: 'platform-month', title: 'platform metrics of 31 days, by day', days: 31, bucket: 'day', asksMax: 20 }),
    {
      name: 'receipts',
      title: 'completeness of the receipts of 24 hours',
      asksMax: 20,
      ask: async ({ createdAt }) => {
        const range = daysUntil(createdAt, 1);
        const { accepted, final, missing } = await getReceiptCompleteness({ db }, range);
        return async () =>
          final.denominator === accepted && accepted >= missing && accepted === (await countMessages(db, range, null, true));
      },
    },
  ];
}

interface PlatformQuestion {
  name: string;
  title: string;
  days: number;
  bucket: 'hour' | 'day';
  asksMax: number;
}

function platformOver(db: Database, { days, bucket, ...rest }: PlatformQuestion): Question {
  return {
    ...rest,
    ask: async ({ createdAt }) => {
      const range = daysUntil(createdAt, days);
      const answer = await getPlatformDeliveryMetrics({ db }, { ...range, bucket });
      return async () => answer.totals.messages === (await countMessages(db, range, null));
    },
  };
}

/** Whole hours, as the metrics have them. */
function daysUntil(createdAt: Date, days: number): { since: Date; until: Date } {
  const until = Math.ceil(createdAt.getTime() / HOUR_MS) * HOUR_MS;
  return { since: new Date(until - days * DAY_MS), until: new Date(until) };
}

async function countMessages(
  db: Database,
  { since, until }: { since: Date; until: Date },
  recipient: string | null,
  taken = false,
): Promise<number> {
  const [row] = await db.sql<{ count: number }[]>`
    SELECT count(*)::int AS count FROM whatsapp_messages
    WHERE created_at >= ${since} AND created_at < ${until} ${recipient === null ? db.sql`` : db.sql`AND recipient = ${recipient}`}
      ${taken ? db.sql`AND message_sid IS NOT NULL AND ended_at < now() - interval '15 minutes'` : db.sql``}`;
  return row?.count ?? 0;
}
