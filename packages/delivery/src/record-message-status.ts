import type { StatusEvent } from '@tickmark/domain';
import { applyStatuses, type StatusApplied } from './apply-statuses.ts';
import type { Database } from './database.ts';

/**
 * Records one status of one message; {@link applyStatuses} is the batched form, for more than one.
 *
 * `event.receivedAt` is ISO 8601; the answer's latencies are milliseconds. Any order and any repetition end in the same row and the same
 * log: safe to repeat.
 *
 * @throws what the database said, when the status could not be recorded; nothing was then
 */
export async function recordMessageStatus({ db }: { db: Pick<Database, 'sql'> }, event: StatusEvent): Promise<StatusApplied> {
  const [settled] = await applyStatuses(db, [event]);
  if (settled === undefined) throw new Error('a status was answered with nothing');
  if (!settled.ok) throw settled.error;
  return settled.value;
}
