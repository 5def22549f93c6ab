import { systemClock, type Clock, type Failpoints, type Logger } from '@tickmark/runtime';
import type { Archive } from '../archive/archive.ts';
import { inStatement, inTransaction, type Database } from '../database.ts';
import { withAdvisoryLock } from '../with-advisory-lock.ts';
import { writeAudit } from '../write-audit.ts';
import { archiveOld, deletePending, type ArchivedRows } from './archive-old.ts';
import { countOld, type OldCounts } from './count-old.ts';
import { redactBodies, type Redacted, type RedactDeps } from './redact-bodies.ts';
import { RETAINED_KINDS } from './retained-rows.ts';
import { readCleanupPause } from './cleanup-pause.ts';
import { noteArchive } from './known-archive.ts';
import { createThrottle } from './throttle.ts';

/** Whoever writes to the archive or deletes by it holds this lock: cleanup, erasure. */
export const RETENTION_LOCK = 'retention';

/** Records per file: a few megabytes, and what a restore or an erasure has to read at least. */
const FILE_RECORDS = 10_000;

/** As long as each statement takes, twice as long nothing is asked: a third of one connection at most. */
const PAUSE_RATIO = 2;

/** Twilio is asked about one message at a time: rows must not wait for that. The next run goes on. */
const REDACTION_MS_MAX = 1_200_000;

const TOMBSTONES_KEPT_DAYS = 90;
const TOMBSTONES_ROWS = 1_000;

export interface CleanupDeps {
  db: Pick<Database, 'sql'>;
  /** Null = there is no `ARCHIVE_DIR`: contents are removed, and no row is ever deleted. */
  archive: Archive | null;
  log: Logger;
  clock?: Clock;
  failpoints?: Pick<Failpoints, 'reach'> | undefined;
  redactAtTwilio?: RedactDeps['redactAtTwilio'];
}

export interface CleanupInput {
  /** `RETENTION_BODY_DAYS` */
  bodyDays: number;
  /** `RETENTION_DAYS` */
  rowDays: number;
  /** Only counts what would go. */
  dryRun?: boolean;
  /** Who asked for it, for the audit log; absent when it is scheduled. */
  by?: { actor: string; reason: string | null };
  fileRecords?: number;
  /** Pause after each statement as a multiple of its duration; default 2. */
  pauseRatio?: number;
  /** Told after each part; what it throws ends the run, and the next one goes on. */
  onProgress?: (progress: CleanupDone) => Promise<void>;
}

export interface CleanupDone {
  redacted: Redacted;
  /** Per kind of row. */
  rows: Record<string, ArchivedRows>;
  /** Deleted by files of an earlier, interrupted run. */
  resumed: number;
  /** Files that do not match their manifest, and damaged manifests: nothing is deleted by them. */
  damaged: number;
  tombstones: number;
  /** Why rows were kept, for an operator; null when they were not. */
  rowsKept: string | null;
}

export type CleanupResult =
  | ({ kind: 'cleaned' } & CleanupDone)
  | ({ kind: 'dry_run'; rowsKept: string | null } & OldCounts)
  /** Another process is at it. */
  | { kind: 'busy' };

/**
 * Removes what is older than its period: contents after `bodyDays`, rows after `rowDays`. Rows are written to the archive, read back, and deleted in
 * small batches with pauses that grow with the load; a message goes together with its attempts, log and audit entries, and its id stays as a tombstone
 * for 90 days. Only final messages that have not changed for the period; whatever has changed since it was archived stays.
 *
 * One process at a time. Safe to repeat and to interrupt at any point: the next run goes on.
 */
export async function cleanupOldMessages(deps: CleanupDeps, input: CleanupInput, signal?: AbortSignal): Promise<CleanupResult> {
  const { db, archive } = deps;
  const paused = await readCleanupPause(db);
  const rowsKept =
    archive === null
      ? 'ARCHIVE_DIR is not set: rows are kept for ever, because none is deleted that is not in an archive'
      : paused && `a restore asked for rows to be kept until ${paused}`;
  if (input.dryRun === true) return { kind: 'dry_run', rowsKept, ...(await countOld(db, input, () => signal?.aborted === true)) };
  const result = await withAdvisoryLock(db, RETENTION_LOCK, () => cleanup(deps, input, { rowsKept, signal }));
  if (!result.ran) return { kind: 'busy' };
  if (input.by !== undefined) await auditCleanup(db, input.by, result.value);
  return { kind: 'cleaned', ...result.value };
}

async function cleanup(
  deps: CleanupDeps,
  { bodyDays, rowDays, fileRecords = FILE_RECORDS, pauseRatio = PAUSE_RATIO, onProgress = () => Promise.resolve() }: CleanupInput,
  { rowsKept, signal }: { rowsKept: string | null; signal: AbortSignal | undefined },
): Promise<CleanupDone> {
  const { db, archive, log, failpoints } = deps;
  const isOver = () => signal?.aborted === true;
  const clock = deps.clock ?? systemClock;
  const throttle = createThrottle(pauseRatio, clock);
  const redacted = { messages: 0, inbound: 0, atTwilio: 0, failedAtTwilio: 0 };
  const done: CleanupDone = { redacted, rows: {}, resumed: 0, damaged: 0, tombstones: 0, rowsKept };
  done.tombstones = await deleteTombstones(db, isOver);
  // Before the rows: the archive is not to hold a content longer than the database.
  const isLong = isOverAfter(clock, REDACTION_MS_MAX);
  const redactDeps = { db, throttle, isOver: () => isOver() || isLong(), redactAtTwilio: deps.redactAtTwilio };
  done.redacted = await redactBodies(redactDeps, { olderThanDays: bodyDays });
  await onProgress(done);
  if (archive !== null && rowsKept === null) {
    const shared = { db, archive, throttle, isOver, failpoints };
    await noteArchive(db, archive);
    await archive.putLeftoversAside();
    done.resumed = await deletePending(shared, (error) => {
      done.damaged += 1;
      log.error({ err: error }, 'a file of the archive is damaged: nothing more is deleted by it');
    });
    for (const retained of RETAINED_KINDS.values()) {
      done.rows[retained.kind] = await archiveOld(shared, retained, { olderThanDays: rowDays, fileRecords });
      await onProgress(done);
    }
  }
  return done;
}

async function auditCleanup(db: Pick<Database, 'sql'>, by: { actor: string; reason: string | null }, done: CleanupDone): Promise<void> {
  const { redacted, rows, resumed } = done;
  const deleted = resumed + Object.values(rows).reduce((sum, row) => sum + row.deleted, 0);
  const details = { redacted: redacted.messages + redacted.inbound, deleted };
  await inTransaction(db.sql, (tx) => writeAudit(tx, [{ ...by, action: 'cleaned_up', messageId: null, details }]));
}

function isOverAfter(clock: Clock, msMax: number): () => boolean {
  const startMs = clock.monotonicMs();
  return () => clock.monotonicMs() - startMs > msMax;
}

async function deleteTombstones(db: Pick<Database, 'sql'>, isOver: () => boolean): Promise<number> {
  let deleted = 0;
  while (!isOver()) {
    const { count } = await inStatement(
      db.sql,
      (sql) => sql`
        DELETE FROM message_tombstones WHERE message_id IN (
          SELECT message_id FROM message_tombstones WHERE deleted_at < now() - ${TOMBSTONES_KEPT_DAYS} * interval '1 day'
          ORDER BY deleted_at LIMIT ${TOMBSTONES_ROWS} FOR UPDATE SKIP LOCKED)`,
    );
    deleted += count;
    if (count < TOMBSTONES_ROWS) break;
  }
  return deleted;
}
