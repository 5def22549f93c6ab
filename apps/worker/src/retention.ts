import { cleanupOldMessages, type Archive, type CleanupDeps, type CleanupResult, type Database, type TaskKind } from '@tickmark/delivery';
import { AppError, cleanupRequestSchema } from '@tickmark/domain';
import type { Clock, Failpoints, Logger } from '@tickmark/runtime';
import type { DatabaseBreaker } from './database-breaker.ts';
import { createEraseHandler } from './erase-person.ts';
import { repeatPasses } from './passes.ts';
import type { TaskHandler } from './task-handler.ts';

/** Soon: a worker may never live for an hour. */
const FIRST_MS = 60_000;
const INTERVAL_MS = 3_600_000;

export interface RetentionSettings {
  /** Null = there is none (no `ARCHIVE_DIR`): rows are kept. */
  archive: Archive | null;
  bodyDays: number;
  rowDays: number;
  redactAtTwilio?: CleanupDeps['redactAtTwilio'];
  /** Before the first pass; default a minute. */
  firstMs?: number;
  /** Default once an hour. */
  intervalMs?: number;
}

export interface RetentionDeps {
  db: Database;
  clock: Clock;
  failpoints: Failpoints;
  log: Logger;
  retention: RetentionSettings;
}

/** Cleans up soon after the start and then once an hour until closed. With several workers one does it at a time. */
export function startRetention(deps: RetentionDeps & { breaker: Pick<DatabaseBreaker, 'report' | 'reason'> }): { close(): Promise<void> } {
  let told = '';
  const pass = async (signal: AbortSignal) => {
    const result = await cleanupOldMessages(cleanupDepsOf(deps), deps.retention, signal);
    if (result.kind !== 'cleaned') return;
    // Said when it begins, not every hour.
    if (result.rowsKept !== null && result.rowsKept !== told) deps.log.warn({ reason: result.rowsKept }, 'old rows are kept');
    told = result.rowsKept ?? '';
    logCleaned(deps.log, result);
  };
  const passes = repeatPasses(pass, {
    breaker: deps.breaker,
    firstMs: deps.retention.firstMs ?? FIRST_MS,
    intervalMs: deps.retention.intervalMs ?? INTERVAL_MS,
    failure: 'old messages could not be cleaned up: the next pass goes on',
  });
  return { close: () => passes.stop() };
}

function cleanupDepsOf({ db, clock, failpoints, log, retention }: RetentionDeps): CleanupDeps {
  const { archive, redactAtTwilio } = retention;
  return { db, archive, clock, failpoints, log, redactAtTwilio };
}

function logCleaned(log: Logger, { redacted, rows, resumed, tombstones }: Extract<CleanupResult, { kind: 'cleaned' }>): void {
  const deleted = Object.fromEntries(Object.entries(rows).map(([kind, counts]) => [kind, counts.deleted]));
  const counts = { redacted, deleted, resumed, tombstones };
  const total = [...Object.values(redacted), ...Object.values(deleted), resumed, tombstones].reduce((sum, count) => sum + count, 0);
  if (total > 0) log.info(counts, 'old messages cleaned up');
}

/** Carries out what operators ask of retention. */
export function createRetentionHandlers(deps: RetentionDeps): Partial<Record<TaskKind, TaskHandler>> {
  return {
    cleanup: async (_task, { input, requestedBy, progress, signal }) => {
      const { dryRun, reason } = cleanupRequestSchema.parse(input);
      const result = await cleanupOldMessages(
        cleanupDepsOf(deps),
        {
          ...deps.retention,
          dryRun,
          by: { actor: requestedBy, reason },
          onProgress: ({ redacted, rows, resumed }) =>
            progress({
              redacted: redacted.messages + redacted.inbound,
              deleted: resumed + Object.values(rows).reduce((sum, { deleted }) => sum + deleted, 0),
            }),
        },
        signal,
      );
      signal.throwIfAborted();
      // Another one is under way: this one is put off until it has ended.
      if (result.kind === 'busy') throw new AppError('OVERLOADED', 'Another cleanup or erasure is under way.');
      return result;
    },
    erase: createEraseHandler(deps),
  };
}
