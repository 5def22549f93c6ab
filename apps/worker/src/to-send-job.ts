import type { InsertedMessage } from '@tickmark/delivery';
import type { SendJob } from '@tickmark/queues';

/** Rows due later than this are left to the sweeper: a delayed job is only an alarm clock, and a full Redis is no calendar. */
export const ENQUEUE_AHEAD_MS = 3_600_000;

/** The send job of a waiting row; none when the row does not wait or is due too late. */
export function toSendJob(
  row: Pick<InsertedMessage, 'id' | 'sender' | 'priority' | 'dueAt'> & { waiting?: boolean },
  now: Date,
): SendJob[] {
  const delayMs = Math.max(0, (row.dueAt?.getTime() ?? 0) - now.getTime());
  if (row.waiting === false || delayMs > ENQUEUE_AHEAD_MS) return [];
  return [{ id: row.id, sender: row.sender, priority: row.priority, ...(delayMs > 0 ? { delayMs } : {}) }];
}
