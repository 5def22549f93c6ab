import type { AcceptedMessage, MessageStatus, Priority } from '@tickmark/domain';
import type { Database } from './database.ts';
import type { Settled } from '@tickmark/runtime';

export interface InsertedMessage {
  id: string;
  /** `conflict_hash`: the id is there with another request; `conflict_producer`: it belongs to someone else. Both are audited. */
  result: 'inserted' | 'exists' | 'conflict_hash' | 'conflict_producer';
  /** The row is claimable: it needs a send job. */
  waiting: boolean;
  status: MessageStatus;
  /** When a claim may first succeed; null when the row does not wait. */
  dueAt: Date | null;
  /** Alias. */
  sender: string;
  priority: Priority;
}

export function insertAccepted(_db: Pick<Database, 'sql'>, _messages: readonly AcceptedMessage[]): Promise<Settled<InsertedMessage>[]> {
  throw new Error('not written yet');
}
