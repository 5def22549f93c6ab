import type postgres from 'postgres';
import { sanitizedJson, sanitizeText } from './sanitize-text.ts';

/** The actor of what the system does without being asked. */
export const SYSTEM_ACTOR = 'system';

export interface AuditEntry {
  actor: string;
  action: string;
  /** Null: about no single message. */
  messageId: string | null;
  /** A person's own words. */
  reason?: string | null;
  details: Record<string, string | number | null>;
}

/**
 * Adds entries to the audit log. One about a message that is there already with the same details (a batch that came again) is not added
 * twice; one about no message always is.
 */
export async function writeAudit(sql: postgres.ISql, entries: readonly AuditEntry[]): Promise<void> {
  await sql`
    INSERT INTO audit_log (actor, action, message_id, reason, details)
    SELECT DISTINCT e.actor, e.action, e.message_id, e.reason, e.details::jsonb
    FROM unnest(
      ${entries.map((entry) => sanitizeText(entry.actor))}::text[],
      ${entries.map((entry) => entry.action)}::text[],
      ${entries.map((entry) => entry.messageId)}::uuid[],
      ${entries.map((entry) => sanitizeText(entry.reason ?? null))}::text[],
      ${entries.map((entry) => sanitizedJson(entry.details))}::text[]
    ) AS e (actor, action, message_id, reason, details)
    WHERE NOT EXISTS (
      SELECT FROM audit_log a
      WHERE a.message_id = e.message_id AND a.action = e.action AND a.actor = e.actor AND a.details = e.details::jsonb
    )`;
}
