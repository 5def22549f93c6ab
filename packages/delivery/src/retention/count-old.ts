import { inStatement, type Database } from '../database.ts';
import type { OldPage, Retained, WalkCursor } from './retained.ts';
import { RETAINED_KINDS } from './retained-rows.ts';
import { countRedactable } from './redact-bodies.ts';

const PAGE_ROWS = 5_000;

export interface OldCounts {
  /** Rows that would be archived and deleted, per kind. */
  rows: Record<string, number>;
  /** Rows whose content would be removed. */
  contents: { messages: number; inbound: number };
}

/** Counts what a cleanup would take now, page by page. Changes nothing. Once it is over the counts are of no use. */
export async function countOld(
  db: Pick<Database, 'sql'>,
  { bodyDays, rowDays }: { bodyDays: number; rowDays: number },
  isOver: () => boolean,
): Promise<OldCounts> {
  const rows: Record<string, number> = {};
  for (const retained of RETAINED_KINDS.values()) rows[retained.kind] = await countRows(db, retained, rowDays, isOver);
  return { rows, contents: await countRedactable(db, { olderThanDays: bodyDays, isOver }) };
}

async function countRows(db: Pick<Database, 'sql'>, retained: Retained, olderThanDays: number, isOver: () => boolean): Promise<number> {
  let count = 0;
  for (let after: WalkCursor | null = null; ;) {
    const from: WalkCursor | null = after;
    const page: OldPage = await inStatement(db.sql, (sql) => retained.findOld(sql, { olderThanDays, after: from, limit: PAGE_ROWS }));
    count += page.keys.length;
    if (page.next === null || isOver()) return count;
    after = page.next;
  }
}
