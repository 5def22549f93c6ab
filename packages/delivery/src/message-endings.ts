import { inStatement, type Database } from './database.ts';
import type { TimelineEntry } from './message-timeline.ts';
import { formsOf } from './recipient-forms.ts';
import type { whatsappMessages } from './schema.ts';
import { SYSTEM_ACTOR } from './write-audit.ts';

type MessageRow = typeof whatsappMessages.$inferSelect;

/**
 * Why a message ended without being sent, as far as the database still knows: who asked for its cancellation and when, when its validity
 * ended, or what was said about its recipient and by whom (`inbound`: the person, `error`: Twilio, `operator`, `import`). A suppression that has
 * been lifted since is not there any more.
 */
export async function findEndings(db: Pick<Database, 'sql'>, row: MessageRow): Promise<TimelineEntry[]> {
  if (row.messageSid !== null) return [];
  if (row.status === 'canceled') return findCancellation(db, row);
  if (row.status === 'suppressed') return findSuppression(db, row);
  if (row.status !== 'expired' || row.expiresAt === null) return [];
  return [toEntry('reconciled', 'expired', row.expiresAt, SYSTEM_ACTOR)];
}

async function findCancellation(db: Pick<Database, 'sql'>, { id, retryOf, producer }: MessageRow): Promise<TimelineEntry[]> {
  const [request] = await inStatement(
    db.sql,
    (sql) => sql<{ at: Date; producer: string }[]>`
      SELECT requested_at AS at, producer FROM cancel_requests
      WHERE message_id = ANY (${[id, retryOf ?? id]}::uuid[]) AND producer = ${producer} ORDER BY requested_at LIMIT 1`,
  );
  return request === undefined ? [] : [toEntry('operator', 'canceled', request.at, request.producer)];
}

async function findSuppression(db: Pick<Database, 'sql'>, { id }: MessageRow): Promise<TimelineEntry[]> {
  const [said] = await inStatement(
    db.sql,
    (sql) => sql<{ at: Date; source: string }[]>`
      SELECT s.event_at AS at, s.source
      FROM (SELECT sender_address, category, ${formsOf(sql, 'recipient')} AS forms FROM whatsapp_messages WHERE id = ${id}) AS m
      JOIN suppressions s ON s.sender_address = m.sender_address AND s.recipient = ANY (m.forms) AND s.suppressed
        AND s.category IN ('all', COALESCE(m.category, 'marketing'))
      ORDER BY s.event_at LIMIT 1`,
  );
  if (said === undefined) return [];
  const isOurs = said.source === 'operator' || said.source === 'import';
  return [toEntry(isOurs ? 'operator' : 'reconciled', 'suppressed', said.at, said.source)];
}

function toEntry(kind: TimelineEntry['kind'], status: string, at: Date, source: string): TimelineEntry {
  return { at: at.toISOString(), kind, status, errorCode: null, attempt: null, source };
}
