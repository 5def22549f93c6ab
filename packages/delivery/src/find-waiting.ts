import type { Priority } from '@tickmark/domain';
import type { Database } from './database.ts';

export interface WaitingMessage {
  id: string;
  /** Alias. */
  sender: string;
  priority: Priority;
  dueAt: Date;
}

/** Where the next page begins: the last row of the page before. */
export type WaitingCursor = Pick<WaitingMessage, 'id' | 'dueAt'>;

export function findWaiting(
  _db: Pick<Database, 'sql'>,
  _page: { after?: WaitingCursor; limit: number; dueBefore: Date },
): Promise<WaitingMessage[]> {
  throw new Error('not written yet');
}
