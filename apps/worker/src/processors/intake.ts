import { insertAccepted, type Database, type InsertedMessage } from '@tickmark/delivery';
import type { Clock, Failpoints, Logger, Metrics } from '@tickmark/runtime';
import { done, type IntakePayload, type Outcome, type Producers, type RunningJob } from '@tickmark/queues';
import { keepDeadLetters } from '../keep-dead-letters.ts';
import { toSendJob } from '../to-send-job.ts';

export interface IntakeDeps {
  db: Database;
  producers: Producers;
  failpoints: Failpoints;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
}

/** One batch of accepted messages: rows first, then a send job for every row of the batch that waits. */
export function createIntakeProcessor(deps: IntakeDeps) {
  return async function insertAndEnqueue(payload: IntakePayload, job: RunningJob): Promise<Outcome> {
    const settled = await insertAccepted(deps.db, payload.messages);
    await deps.failpoints.reach('intake-after-insert');
    await keepDeadLetters(deps, { queue: 'intake', jobId: job.id, items: payload.messages, settled });
    const rows = settled.flatMap((result) => (result.ok ? [result.value] : []));
    // Every waiting row, not only the new ones: a run after a crash inserts nothing and yet must enqueue all.
    await deps.producers.addSend(rows.flatMap((row) => toSendJob(row, deps.clock.now())));
    countRows(deps, rows);
    return done();
  };
}

function countRows({ metrics, log }: IntakeDeps, rows: readonly InsertedMessage[]): void {
  const inserted = rows.filter((row) => row.result === 'inserted');
  const conflicts = rows.filter((row) => row.result === 'conflict_hash' || row.result === 'conflict_producer');
  // Not all of them wait: one whose cancellation came first is canceled from the start.
  for (const { status } of inserted) metrics.messageStatus.inc({ status });
  if (conflicts.length > 0) metrics.idempotencyConflicts.inc(conflicts.length);
  const deleted = rows.filter((row) => row.result === 'deleted').length;
  log.info({ rows: rows.length, inserted: inserted.length, conflicts: conflicts.length, deleted }, 'intake batch inserted');
}
