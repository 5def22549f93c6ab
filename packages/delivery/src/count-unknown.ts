import { inStatement, type Database } from './database.ts';

/** Unknown outcomes, by whether Twilio's list showed something at the last look that may be theirs. */
export async function countUnknown(db: Pick<Database, 'sql'>): Promise<{ listed: number; unlisted: number }> {
  const [row] = await inStatement(
    db.sql,
    (sql) => sql<[{ listed: number; unlisted: number }]>`
      SELECT count(*) FILTER (WHERE s.candidates <> '[]')::int AS listed,
        count(*) FILTER (WHERE s.candidates = '[]' OR s.candidates IS NULL)::int AS unlisted
      FROM whatsapp_messages m LEFT JOIN outcome_searches s ON s.message_id = m.id AND s.attempt = m.attempts
      WHERE m.open_status IN ('unknown')`,
  );
  return row;
}
