import { inStatement, type Database } from './database.ts';
import { sanitizedJson, sanitizeText } from './sanitize-text.ts';

export interface DeadLetter {
  queue: string;
  jobId: string;
  /** The payload as it was in the queue. */
  payload: unknown;
  /** Why it ended here, for an operator. */
  reason: string;
}

/** Keeps a queue item that can never be carried out. Safe to repeat: (queue, job id) is kept once. */
export async function insertDeadLetter(db: Pick<Database, 'sql'>, { queue, jobId, payload, reason }: DeadLetter): Promise<void> {
  await inStatement(
    db.sql,
    (sql) => sql`
      INSERT INTO dead_letters (queue, job_id, payload, reason)
      VALUES (${queue}, ${sanitizeText(jobId)}, ${sanitizedJson(payload) ?? 'null'}::text::jsonb, ${sanitizeText(reason)})
      ON CONFLICT (queue, job_id) DO NOTHING`,
  );
}
