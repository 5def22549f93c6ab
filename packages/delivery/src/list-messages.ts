import { describeError, type MessageStatus } from '@tickmark/domain';
import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';
import { describeSummary, summaryColumns, type MessageSummary, type SummaryRow } from './describe-message.ts';
import { fitsFilter, type MessageFilter } from './message-filter.ts';
import { formsOfAddress } from './recipient-forms.ts';

/** Rows that one page looks at, at most: some 50 ms from memory, and far below the time-out of a statement from a disk. */
const ROWS_LOOKED_AT_MAX = 10_000;

/** Those of which there is an index that holds nothing else: however rare they are, they are found without a walk. */
const INDEXED_STATUSES: readonly MessageStatus[] = ['unknown', 'held'];

/** Where a list goes on: behind this message. */
export interface MessagePosition {
  createdAt: Date;
  id: string;
}

export interface ListMessagesInput {
  filter: MessageFilter;
  /** Null = from the newest on. */
  after: MessagePosition | null;
  /** Items at most. */
  limit: number;
  rowsLookedAtMax?: number;
}

export interface MessagePage {
  items: MessageSummary[];
  /** Null when there is nothing behind. */
  next: MessagePosition | null;
}

/**
 * A page of the messages that fit a filter, the newest first, by `createdAt` and then by id.
 *
 * The page looks at 10,000 rows at most: of something rare it may hold fewer items than asked for, even none, and still name where to go on;
 * only `next: null` says that there are no more. Walking on from page to page shows every message once that was there at the start.
 */
export async function listMessages(
  { db }: { db: Pick<Database, 'sql'> },
  { filter: asked, after, limit, rowsLookedAtMax = ROWS_LOOKED_AT_MAX }: ListMessagesInput,
): Promise<MessagePage> {
  const filter = asked.to === undefined ? asked : { ...asked, to: [...new Set(asked.to.flatMap(formsOfAddress))] };
  const end = needsWalk(filter)
    ? ((await inStatement(db.sql, (sql) => selectWalkEnd(sql, { filter, after }, rowsLookedAtMax)))[0] ?? null)
    : null;
  const rows = await inStatement(db.sql, (sql) => selectPage(sql, { filter, after, end, rowsMax: limit + 1 }));
  const shown = rows.slice(0, limit);
  const last = rows.length > limit ? shown.at(-1) : end;
  return {
    items: shown.map((row) => describeSummary(row, describeError)),
    next: last ? { createdAt: last.createdAt, id: last.id } : null,
  };
}

/** Whether rows are looked at that may not fit. The recipient and the time alone are found through an index. */
function needsWalk(filter: MessageFilter): boolean {
  const { to: _to, since: _since, until: _until, ...rest } = filter;
  return Object.values(rest).some((values) => values !== undefined) && indexedStatuses(filter) === null;
}

function indexedStatuses({ to, status }: MessageFilter): readonly MessageStatus[] | null {
  return to === undefined && status?.every((one) => INDEXED_STATUSES.includes(one)) === true ? status : null;
}

/** The last row that a page may look at; none when there are fewer. It is read from the index, and before the page itself: see {@link selectPage}. */
export function selectWalkEnd(sql: postgres.ISql, { filter, after }: Pick<ListMessagesInput, 'filter' | 'after'>, rowsMax: number) {
  const { to, since, until } = filter;
  const walk = sql`
    SELECT m.created_at, m.id FROM whatsapp_messages m
    WHERE ${to === undefined ? sql`true` : sql`m.recipient = t.recipient`} ${isBehind(sql, after)} ${fitsFilter(sql, { since, until })}
    ORDER BY m.created_at DESC, m.id DESC OFFSET ${rowsMax - 1} LIMIT 1`;
  const ends = to === undefined ? walk : sql`SELECT w.* FROM unnest(${[...to]}::text[]) AS t (recipient) CROSS JOIN LATERAL (${walk}) AS w`;
  return sql<MessagePosition[]>`
    SELECT e.created_at AS "createdAt", e.id FROM (${ends}) AS e ORDER BY e.created_at DESC, e.id DESC LIMIT 1`;
}

/** `end` belongs to the page, and the next one begins behind it: so a row that is stored between the two statements is shown at most once. */
export function selectPage(
  sql: postgres.ISql,
  { filter, after, end, rowsMax }: { filter: MessageFilter; after: MessagePosition | null; end: MessagePosition | null; rowsMax: number },
) {
  const { to } = filter;
  const select = sql`
    SELECT ${summaryColumns(sql)} FROM ${tableOf(sql, filter)} m
    WHERE ${to === undefined ? sql`true` : sql`m.recipient = t.recipient`} ${isBehind(sql, after)} ${fitsFilter(sql, filter)}
      ${end === null ? sql`` : sql`AND (m.created_at, m.id) >= (${end.createdAt}, ${end.id}::uuid)`}
    ORDER BY m.created_at DESC, m.id DESC LIMIT ${rowsMax}`;
  if (to === undefined) return sql<SummaryRow[]>`${select}`;
  return sql<SummaryRow[]>`
    SELECT m.* FROM unnest(${[...to]}::text[]) AS t (recipient) CROSS JOIN LATERAL (${select}) AS m
    ORDER BY m."createdAt" DESC, m.id DESC LIMIT ${rowsMax}`;
}

/** The OFFSET keeps the planner from walking the whole table in the order that is asked for. */
function tableOf(sql: postgres.ISql, filter: MessageFilter) {
  const statuses = indexedStatuses(filter);
  if (statuses === null) return sql`whatsapp_messages`;
  const [held, unknown] = [statuses.includes('held'), statuses.includes('unknown')];
  // The words of the partial indexes.
  const parts = sql`
    SELECT * FROM whatsapp_messages WHERE ${held ? sql`open_status = 'held'` : sql`false`}
    UNION ALL SELECT * FROM whatsapp_messages WHERE ${unknown ? sql`open_status = 'unknown'` : sql`false`}`;
  return sql`(SELECT * FROM (${parts}) AS open OFFSET 0)`;
}

function isBehind(sql: postgres.ISql, after: MessagePosition | null) {
  return after === null ? sql`` : sql`AND (m.created_at, m.id) < (${after.createdAt}, ${after.id}::uuid)`;
}
