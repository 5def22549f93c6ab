import type { AcceptedMessage } from '@tickmark/domain';
import { acceptedMessage, randomPhone } from '@tickmark/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RawSql } from './database.ts';
import { deliveryRoom } from './fixtures/delivery-room.ts';
import { insertAccepted } from './insert-accepted.ts';
import { listMessages, selectPage, selectWalkEnd, type ListMessagesInput, type MessagePosition } from './list-messages.ts';
import type { MessageFilter } from './message-filter.ts';

const room = deliveryRoom();

const list = (filter: MessageFilter, input: Partial<ListMessagesInput> = {}) =>
  listMessages({ db: room.db }, { filter, after: null, limit: 50, ...input });
const ids = async (filter: MessageFilter) => (await list(filter)).items.map(({ id }) => id);

/** Rows without content of one campaign, one second after another. */
async function fill(campaign: string, count: number, status = 'delivered'): Promise<void> {
  await room.db.sql`
    INSERT INTO whatsapp_messages (id, status, rank, priority, campaign, recipient, created_at, error_code, due_at)
    SELECT gen_random_uuid(), ${status}, CASE ${status} WHEN 'held' THEN 0 ELSE 60 END, 'bulk', ${campaign}, 'whatsapp:+1' || n, 
      '2026-01-01'::timestamptz + n * interval '1 second', NULL, NULL
    FROM generate_series(1, ${count}::int) AS n`;
}

/** Every page, and how many there were. */
async function walk(filter: MessageFilter, input: Partial<ListMessagesInput>) {
  const found: string[] = [];
  let pages = 0;
  for (let after: MessagePosition | null = null; pages === 0 || after !== null; pages += 1) {
    const page = await list(filter, { ...input, after });
    found.push(...page.items.map(({ id }) => id));
    after = page.next;
  }
  return { found, pages };
}

describe('the list', () => {
  it('fits every property that is given, by any of its values', async () => {
    const campaign = 'filters';
    const insert = (values: Partial<AcceptedMessage>) => room.insert({ campaign, ...values });
    const [one, two] = [await insert({ producer: 'shop' }), await insert({ producer: 'mail', sender: 'other' })];
    await room.db.sql`UPDATE whatsapp_messages SET status = 'failed', rank = 50, error_code = 63024 WHERE id = ${two.id}`;
    const cases: [MessageFilter, string[]][] = [
      [{ campaign: [campaign] }, [two.id, one.id]],
      [{ to: [one.recipient] }, [one.id]],
      [{ to: [one.recipient, two.recipient] }, [two.id, one.id]],
      [{ to: [one.recipient], producer: ['mail'] }, []],
      [{ from: ['other'] }, [two.id]],
      [{ from: [one.senderAddress, two.senderAddress] }, [two.id, one.id]],
      [{ status: ['failed', 'read'], campaign: [campaign] }, [two.id]],
      [{ errorCode: [63024, 1], campaign: [campaign] }, [two.id]],
      [{ producer: ['mail'], campaign: [campaign, 'none'] }, [two.id]],
      [{ campaign: [campaign], until: new Date(0) }, []],
      [{ campaign: [campaign], since: new Date(Date.now() + 60_000) }, []],
    ];
    for (const [filter, expected] of cases) expect([filter, await ids(filter)]).toEqual([filter, expected]);
  });

  it('sorts and asks by the time that it shows, which is that of the acceptance and not of the storing', async () => {
    const producer = 'burst';
    const startMs = Date.now() - 60_000;
    const messages = Array.from({ length: 6 }, (_, n) =>
      acceptedMessage({ producer, acceptedAt: new Date(startMs + n * 1_000).toISOString() }),
    );
    await insertAccepted(room.db, messages);
    const times = messages.map(({ acceptedAt }) => acceptedAt).toReversed();
    expect((await list({ producer: [producer] })).items.map(({ createdAt }) => createdAt)).toEqual(times);
    const [since, until] = [new Date(startMs + 1_000), new Date(startMs + 4_000)];
    expect((await list({ producer: [producer], since, until })).items.map(({ createdAt }) => createdAt)).toEqual(times.slice(2, 5));
  });

  it('goes on behind each page and shows every message once, also those of one moment', async () => {
    await fill('pages', 40);
    await room.db
      .sql`UPDATE whatsapp_messages SET created_at = '2026-01-01' WHERE campaign = 'pages' AND created_at < '2026-01-01 00:00:20'`;
    for (const limit of [1, 7, 20, 40]) {
      const { found } = await walk({ campaign: ['pages'] }, { limit });
      expect([limit, found.length, new Set(found).size]).toEqual([limit, 40, 40]);
    }
  });

  it('of something rare looks at so many rows per page, and then tells where to go on', async () => {
    await fill('common', 90);
    await room.db.sql`UPDATE whatsapp_messages SET campaign = 'rare' WHERE campaign = 'common' AND created_at = '2026-01-01 00:00:05'`;
    const rowsLookedAtMax = 10;
    const first = await list({ campaign: ['rare'] }, { rowsLookedAtMax });
    expect(first).toMatchObject({ items: [], next: { createdAt: expect.any(Date) } });
    const { found, pages } = await walk({ campaign: ['rare'] }, { rowsLookedAtMax });
    expect(found).toHaveLength(1);
    expect(pages).toBeGreaterThanOrEqual(9);
  });

  it('tells the row that retries a message', async () => {
    const message = await room.insert();
    const retry = await room.insert();
    await room.db.sql`UPDATE whatsapp_messages SET retry_of = ${message.id}, origin = 'retry' WHERE id = ${retry.id}`;
    expect((await list({ to: [message.recipient] })).items).toMatchObject([{ id: message.id, retriedBy: retry.id }]);
  });
});

describe('the plans', () => {
  const recipient = `whatsapp:${randomPhone()}`;
  beforeAll(async () => {
    await fill('bulk', 20_000);
    await fill('parked', 5, 'held');
    await room.db.sql`UPDATE whatsapp_messages SET recipient = ${recipient} WHERE campaign = 'parked'`;
    await room.db.sql`ANALYZE whatsapp_messages`;
  });

  type Query = (sql: RawSql) => ReturnType<typeof selectPage> | ReturnType<typeof selectWalkEnd>;
  const page = (filter: MessageFilter): Query => {
    return (sql) => selectPage(sql, { filter, after: { createdAt: new Date(), id: LOWEST_ID }, end: null, rowsMax: 51 });
  };
  it.each<[string, Query, string]>([
    ['everything', page({}), 'whatsapp_messages_created'],
    ['a time', page({ since: new Date('2026-01-01T01:00:00Z') }), 'whatsapp_messages_created'],
    ['the recipient', page({ to: [recipient], status: ['held'] }), 'whatsapp_messages_recipient'],
    ['what is held', page({ status: ['held'] }), 'whatsapp_messages_held'],
    ['the end of a page', (sql) => selectWalkEnd(sql, { filter: { status: ['failed'] }, after: null }, 51), 'whatsapp_messages_created'],
  ])('%s: finds its rows by index and touches no more than it shows', async (_name, query, index) => {
    const sql = room.db.sql;
    const [row] = await sql<{ 'QUERY PLAN': [{ Plan: PlanNode }] }[]>`EXPLAIN (ANALYZE, FORMAT JSON) ${query(sql)}`;
    const scans = scansOf(row?.['QUERY PLAN'][0].Plan).filter((scan) => scan['Index Name'] !== 'whatsapp_messages_retry_of');
    expect(scans.map((scan) => scan['Index Name'])).toContain(index);
    const rows = scans.map((scan) => scan['Actual Rows'] * scan['Actual Loops'] + (scan['Rows Removed by Filter'] ?? 0));
    expect(Math.max(...rows)).toBeLessThanOrEqual(51);
  });
});

const LOWEST_ID = '00000000-0000-0000-0000-000000000000';

interface PlanNode {
  'Node Type': string;
  'Index Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  Plans?: PlanNode[];
}

/** The nodes of a plan that read a table or an index. */
function scansOf(node: PlanNode | undefined): PlanNode[] {
  if (node === undefined) return [];
  const own = node['Index Name'] !== undefined || node['Node Type'] === 'Seq Scan' ? [node] : [];
  return [...own, ...(node.Plans ?? []).flatMap(scansOf)];
}
