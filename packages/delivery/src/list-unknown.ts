import type { MessageStatus } from '@tickmark/domain';
import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';
import type { Candidate } from './record-looks.ts';
import { RESOLVE_AFTER_SECONDS } from './resend-unknown.ts';

/** What a person needs to decide about a message whose outcome is unknown. Times are ISO 8601 in UTC; absent is null. */
export interface UnknownMessage {
  id: string;
  status: MessageStatus;
  attempt: number;
  sender: string | null;
  from: string | null;
  to: string | null;
  producer: string | null;
  campaign: string | null;
  onUnknown: 'hold' | 'resend';
  resends: number;
  claimedAt: string | null;
  /** What the call brought; null = its process ended before it could tell. */
  httpStatus: number | null;
  requestId: string | null;
  looks: number;
  /** Looks that proved, under positive control, that Twilio has no such message. */
  absences: number;
  candidates: Candidate[];
  lookedAt: string | null;
  /** Old enough to be resent or closed. */
  resolvable: boolean;
}

/** The messages whose outcome is unknown, the oldest first, `limit` at most. */
export function listUnknown(db: Pick<Database, 'sql'>, { limit }: { limit: number }): Promise<UnknownMessage[]> {
  return inStatement(db.sql, (sql) => select(sql, sql`m.open_status IN ('unknown') ORDER BY m.claimed_at, m.id LIMIT ${limit}`));
}

/** One message, whatever its status is by now; null when there is none of that id. */
export async function getUnknown(db: Pick<Database, 'sql'>, id: string): Promise<UnknownMessage | null> {
  const [row] = await inStatement(db.sql, (sql) => select(sql, sql`m.id = ${id}`));
  return row ?? null;
}

async function select(sql: postgres.ISql, condition: postgres.PendingQuery<postgres.Row[]>): Promise<UnknownMessage[]> {
  const rows = await sql<(Omit<UnknownMessage, 'claimedAt' | 'lookedAt'> & { claimedAt: Date | null; lookedAt: Date | null })[]>`
    SELECT m.id, m.status, m.attempts AS attempt, m.sender, m.sender_address AS "from", m.recipient AS "to", m.producer, m.campaign,
      m.on_unknown AS "onUnknown", m.resends, m.claimed_at AS "claimedAt", m.http_status AS "httpStatus", m.request_id AS "requestId",
      COALESCE(s.looks, 0) AS looks, COALESCE(s.absences, 0) AS absences, COALESCE(s.candidates, '[]') AS candidates,
      s.looked_at AS "lookedAt", COALESCE(m.claimed_at < now() - ${RESOLVE_AFTER_SECONDS} * interval '1 second', false) AS resolvable
    FROM whatsapp_messages m LEFT JOIN outcome_searches s ON s.message_id = m.id AND s.attempt = m.attempts
    WHERE ${condition}`;
  return rows.map((row) => ({
    ...row,
    claimedAt: row.claimedAt?.toISOString() ?? null,
    lookedAt: row.lookedAt?.toISOString() ?? null,
  }));
}
