import type { Failpoints } from '@tickmark/runtime';
import type { Archive } from '../archive/archive.ts';
import { ArchiveDamagedError, type ArchiveManifest } from '../archive/archive-manifest.ts';
import type { ArchivedKind, ArchiveRecord } from '../archive/archive-record.ts';
import { inStatement, inTransaction, type Database } from '../database.ts';
import type { Retained, WalkCursor } from './retained.ts';
import { RETAINED_KINDS } from './retained-rows.ts';
import type { Throttle } from './throttle.ts';

/** Rows that one statement looks at, reads or deletes: some tens of milliseconds. */
const PAGE_ROWS = 2_000;
const BATCH_ROWS = 500;

export interface ArchiveOldDeps {
  db: Pick<Database, 'sql'>;
  archive: Archive;
  failpoints?: Pick<Failpoints, 'reach'> | undefined;
  throttle: Throttle;
  /** True when nothing more is to be begun. */
  isOver: () => boolean;
}

export interface ArchiveOldInput {
  olderThanDays: number;
  /** Records per file. */
  fileRecords: number;
}

export interface ArchivedRows {
  archived: number;
  deleted: number;
}

/**
 * Archives old rows of one kind and deletes them, file by file. Nothing is deleted that is not, unchanged, in a file that was read back.
 *
 * Interrupted at any point, {@link deletePending} goes on with it.
 */
export async function archiveOld(deps: ArchiveOldDeps, retained: Retained, input: ArchiveOldInput): Promise<ArchivedRows> {
  const total = { archived: 0, deleted: 0 };
  const walk: { cursor: WalkCursor | null; ended: boolean } = { cursor: null, ended: false };
  while (!walk.ended && !deps.isOver()) {
    const manifest = await deps.archive.write(readOld(deps, retained, input, walk));
    if (manifest === null) continue;
    total.archived += manifest.records;
    total.deleted += await deleteArchived(deps, manifest);
  }
  return total;
}

/** The records of one file: until it is full or nothing old is left. */
async function* readOld(
  { db, throttle, isOver }: ArchiveOldDeps,
  retained: Retained,
  { olderThanDays, fileRecords }: ArchiveOldInput,
  walk: { cursor: WalkCursor | null; ended: boolean },
): AsyncGenerator<ArchiveRecord> {
  for (let read = 0; read < fileRecords && !walk.ended && !isOver();) {
    const { cursor: after } = walk;
    const limit = Math.min(PAGE_ROWS, fileRecords - read);
    const page = await throttle(() => inStatement(db.sql, (sql) => retained.findOld(sql, { olderThanDays, after, limit })));
    for (const keys of inBatches(page.keys)) {
      const records = await throttle(() => inStatement(db.sql, (sql) => retained.bundle(sql, keys)));
      yield* records;
    }
    read += page.keys.length;
    walk.cursor = page.next ?? walk.cursor;
    walk.ended = page.next === null;
  }
}

/**
 * Deletes the rows that a file holds, as far as they are still what it holds: one that has changed since stays, and is archived again.
 *
 * @returns how many. Safe to repeat. Over before its end, the file stays `pending`
 * @throws ArchiveDamagedError before anything is deleted when the file is not what was written
 */
export async function deleteArchived(
  { archive, db, throttle, failpoints, isOver }: ArchiveOldDeps,
  manifest: ArchiveManifest,
): Promise<number> {
  // To its end, before the first row goes: a file is as good as its last byte.
  const hashes = new Map<ArchivedKind, Map<string, string>>();
  for await (const { kind, key, sha256 } of archive.read(manifest)) {
    if (!hashes.has(kind)) hashes.set(kind, new Map());
    hashes.get(kind)?.set(key, sha256);
  }
  await failpoints?.reach('archive-before-delete');
  let deleted = 0;
  for (const [kind, archived] of hashes) {
    const retained = RETAINED_KINDS.get(kind);
    if (retained === undefined) throw new Error(`rows of the kind ${kind} cannot be deleted`);
    for (const keys of inBatches([...archived.keys()])) {
      if (isOver()) return deleted;
      deleted += await throttle(() => deleteUnchanged(db, retained, keys, archived));
      await failpoints?.reach('archive-mid-delete');
    }
  }
  await failpoints?.reach('archive-before-done');
  await archive.setState(manifest, 'done');
  return deleted;
}

/** What was written between the two statements would go without having been read: all of it is tried again another time. */
class UnreadRowsError extends Error {}

async function deleteUnchanged(
  db: Pick<Database, 'sql'>,
  retained: Retained,
  keys: readonly string[],
  archived: ReadonlyMap<string, string>,
): Promise<number> {
  const deleting = inTransaction(db.sql, async (tx) => {
    const locked = await retained.lock(tx, keys);
    // A statement of its own, begun under the locks: what was written until then is seen, and nothing more can be.
    const now = locked.length === 0 ? [] : await retained.bundle(tx, locked);
    const unchanged = now.filter(({ key, sha256 }) => archived.get(key) === sha256);
    if (unchanged.length === 0) return 0;
    const read = countRows(unchanged);
    const removed = await retained.remove(
      tx,
      unchanged.map(({ key }) => key),
    );
    for (const [table, count] of Object.entries(removed)) if (count > (read.get(table) ?? 0)) throw new UnreadRowsError(table);
    return unchanged.length;
  });
  try {
    return await deleting;
  } catch (error) {
    if (error instanceof UnreadRowsError) return 0;
    throw error;
  }
}

function countRows(records: readonly ArchiveRecord[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { rows } of records) {
    for (const [table, { length }] of Object.entries(JSON.parse(rows) as Record<string, unknown[]>)) {
      counts.set(table, (counts.get(table) ?? 0) + length);
    }
  }
  return counts;
}

/** Goes on with files whose rows were not all deleted. A damaged one is put aside as `damaged`; its rows are archived anew, as are those of a damaged manifest. */
export async function deletePending(deps: ArchiveOldDeps, onDamaged: (error: ArchiveDamagedError) => void): Promise<number> {
  let deleted = 0;
  const { manifests, damaged } = await deps.archive.survey();
  damaged.forEach(onDamaged);
  for (const manifest of manifests) {
    if (manifest.state !== 'pending' || deps.isOver()) continue;
    try {
      deleted += await deleteArchived(deps, manifest);
    } catch (error) {
      if (!(error instanceof ArchiveDamagedError)) throw error;
      onDamaged(error);
      await deps.archive.setState(manifest, 'damaged');
    }
  }
  return deleted;
}

function inBatches<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / BATCH_ROWS) }, (_, index) =>
    items.slice(index * BATCH_ROWS, (index + 1) * BATCH_ROWS),
  );
}
