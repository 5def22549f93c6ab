import { getMessageDeliveryStatus, listMessages, type Database, type MessageFilter } from '@tickmark/delivery';
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
  /** Asks about one message, and says whether the answer is what the raw rows say. */
  ask: (message: KnownMessage) => Promise<boolean>;
}

const DAY_MS = 86_400_000;

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
    return answer?.id === message.id && answer.status === message.status && lines === message.lines;
  };
  const list = (filter: MessageFilter) => listMessages({ db, describeError }, { filter, after: null, limit: PAGE_ITEMS });
  const failed = ['failed', 'undelivered'] as const;
  return [
    { name: 'by-id', title: 'message by id, with its timeline', ask: byKey(({ id }) => id) },
    { name: 'by-sid', title: 'message by sid, with its timeline', ask: byKey(({ messageSid }) => messageSid) },
    {
      name: 'by-recipient',
      title: 'the messages to one recipient, 50 at most',
      ask: async ({ recipient, toRecipient }) => {
        const { items } = await list({ to: [recipient] });
        return items.length === Math.min(PAGE_ITEMS, toRecipient) && items.every(({ to }) => to === recipient);
      },
    },
    {
      name: 'by-campaign',
      title: 'a page of 50 of a campaign, up to some time',
      ask: async ({ id, campaign, createdAt }) => {
        const { items } = await list({ campaign: [campaign], until: new Date(createdAt.getTime() + 1) });
        return items.some((item) => item.id === id) && items.every((item) => item.campaign === campaign);
      },
    },
    {
      name: 'failed',
      title: 'a page of 50 that failed, up to some time',
      ask: async ({ createdAt }) => {
        const { items, next } = await list({ status: failed, until: createdAt });
        return (items.length === PAGE_ITEMS || next === null) && items.every((item) => failed.some((status) => status === item.status));
      },
    },
  ];
}
