import { insertDeadLetter, type Database } from '@tickmark/delivery';
import type { DeadLetterQueue } from '@tickmark/domain';
import type { Logger, Metrics, Settled } from '@tickmark/runtime';

export interface FailedBatch<T> {
  queue: DeadLetterQueue;
  jobId: string;
  items: readonly T[];
  /** One result per item, in order. */
  settled: readonly Settled<unknown>[];
}

/** Moves the items of a batch that alone failed to the table `dead_letters`, with their reason: the rest of the batch is not held up. */
export async function keepDeadLetters<T>(
  { db, metrics, log }: { db: Database; metrics: Metrics; log: Logger },
  { queue, jobId, items, settled }: FailedBatch<T>,
): Promise<void> {
  for (const [index, result] of settled.entries()) {
    if (result.ok) continue;
    const reason = result.error instanceof Error ? result.error.message : String(result.error);
    await insertDeadLetter(db, { queue, jobId: `${jobId}/${index}`, payload: items[index], reason });
    metrics.deadLetters.inc({ queue });
    log.error({ queue, jobId, index, err: result.error }, 'one item of a batch failed and was kept as a dead letter');
  }
}
