import type { Priority } from '@tickmark/domain';
import { inStatement, type Database } from './database.ts';

export interface WaitingMessage {
  id: string;
  /** Alias. */
  sender: string;
  priority: Priority;
  dueAt: Date;
}

/** Where the next page begins: the last row of the page before. */
export type WaitingCursor = Pick<WaitingMessage, 'id' | 'dueAt'>;

/** One page of the rows that wait and are due before a time, the longest due first. A page shorter than `limit` is the last one. */
export function findWaiting(
  db: Pick<Database, 'sql'>,
  { after, limit, dueBefore }: { after?: WaitingCursor; limit: number; dueBefore: Date },
): Promise<WaitingMessage[]> {
  return inStatement(
    db.sql,
    (sql) => sql<WaitingMessage[]>`
      SELECT id, sender, priority, due_at AS "dueAt"
      FROM whatsapp_messages
      -- The words of the partial index, which holds waiting rows only.
      WHERE open_status IN ('accepted', 'scheduled', 'retrying') AND due_at < ${dueBefore}
        ${after ? sql`AND (due_at, id) > (${after.dueAt}, ${after.id}::uuid)` : sql``}
      ORDER BY due_at, id
      LIMIT ${limit}`,
  );
}
