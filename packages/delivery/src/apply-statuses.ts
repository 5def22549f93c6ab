import type { MessageStatus, StatusEvent } from '@tickmark/domain';
import type { Database } from './database.ts';
import type { Settled } from '@tickmark/runtime';

export interface StatusApplied {
  /** The row that the event belongs to; null when there is none (its row was deleted on purpose). */
  messageId: string | null;
  /**
   * The strongest thing that happened: `external` / `recovered` a row was made · `bound` the sid was bound to its row · `raised` the
   * status changed · `attempt` only an older attempt changed · `logged` only the log grew · `duplicate` nothing new ·
   * `other_sid` its `m` is bound to another sid (logged) · `deleted` its `m` was cleaned up or erased.
   */
  kind: 'external' | 'recovered' | 'bound' | 'raised' | 'attempt' | 'logged' | 'duplicate' | 'other_sid' | 'deleted';
  /** Whether this event really added a row to the log: the metrics count only those. */
  logged: boolean;
  /** Status of the message before and after the batch; equal when it did not change, null without a row. */
  from: MessageStatus | null;
  to: MessageStatus | null;
  /** Alias; null for an external message of a sender that is not ours. */
  sender: string | null;
  errorCode: number | null;
  /** Milliseconds from acceptance to the stages that this event was the first to tell; null otherwise. */
  latencyMs: { toSent: number | null; toDelivered: number | null; toRead: number | null };
}

export function applyStatuses(_db: Pick<Database, 'sql'>, _events: readonly StatusEvent[]): Promise<Settled<StatusApplied>[]> {
  throw new Error('not written yet');
}
