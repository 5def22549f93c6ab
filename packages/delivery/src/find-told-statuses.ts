import type { MessageStatus } from '@tickmark/domain';
import { inStatement, type Database } from './database.ts';

/** What a producer is told of a message of its own: neither people nor contents. */
export interface ToldMessage {
  id: string;
  producer: string;
  status: MessageStatus;
  errorCode: number | null;
  messageSid: string | null;
  campaign: string | null;
  retryOf: string | null;
  updatedAt: Date;
}

/** The statuses of messages as they are now; of those that no producer sent, nothing. */
export function findToldStatuses(db: Pick<Database, 'sql'>, ids: readonly string[]): Promise<ToldMessage[]> {
  return inStatement(
    db.sql,
    (sql) => sql<ToldMessage[]>`
      SELECT id, producer, status, error_code AS "errorCode", message_sid AS "messageSid", campaign, retry_of AS "retryOf",
        updated_at AS "updatedAt"
      FROM whatsapp_messages WHERE id = ANY (${[...ids]}::uuid[]) AND producer IS NOT NULL`,
  );
}
