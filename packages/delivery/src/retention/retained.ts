import type postgres from 'postgres';
import type { ArchivedKind, ArchiveRecord } from '../archive/archive-record.ts';

/** Where a walk over a table stands: a time and a key, as PostgreSQL writes them. */
export interface WalkCursor {
  at: string;
  key: string;
}

export interface OldPage {
  /** Of rows that may go. */
  keys: string[];
  /** After the last row that was looked at; null when no older one is left. */
  next: WalkCursor | null;
}

/** Rows of one kind that leave the database when they are old, each together with what belongs to it. */
export interface Retained {
  kind: ArchivedKind;
  /** Looks at the next rows that are older than so many days, oldest first. */
  findOld(sql: postgres.ISql, query: { olderThanDays: number; after: WalkCursor | null; limit: number }): Promise<OldPage>;
  /** Locks those of the rows that may go and that nobody else holds. */
  lock(tx: postgres.ISql, keys: readonly string[]): Promise<string[]>;
  /** Reads rows as they are to be archived. */
  bundle(sql: postgres.ISql, keys: readonly string[]): Promise<ArchiveRecord[]>;
  /** Deletes rows that are locked, with everything that {@link bundle} reads. @returns how many rows went, per table */
  remove(tx: postgres.ISql, keys: readonly string[]): Promise<Record<string, number>>;
}

/** Of everything that is walked, the beginning. */
export const WALK_START: WalkCursor = { at: '-infinity', key: '' };

export function toPage(rows: readonly { key: string; at: string; old: boolean }[], limit: number): OldPage {
  const last = rows.length < limit ? undefined : rows.at(-1);
  return { keys: rows.filter(({ old }) => old).map(({ key }) => key), next: last ? { at: last.at, key: last.key } : null };
}
