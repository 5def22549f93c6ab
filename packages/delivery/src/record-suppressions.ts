import type { SuppressionCategory } from '@tickmark/domain';
import type { Settled } from '@tickmark/runtime';
import type postgres from 'postgres';
import { inStatement, type Database } from './database.ts';
import { formsOf } from './recipient-forms.ts';
import { sanitizeText } from './sanitize-text.ts';
import { settleBatch } from './settle-batch.ts';

/** Something was said about whether a person may be written to. */
export interface SuppressionEvent {
  /** The address of ours, or the Messaging Service, that is meant. */
  senderAddress: string;
  recipient: string;
  category: SuppressionCategory;
  suppressed: boolean;
  /**
   * When it was said, ISO 8601; null = now, by the database's clock. Of several the latest holds, whatever their order of arrival; of those
   * at the same time the suppression.
   */
  at: string | null;
  source: 'inbound' | 'error' | 'operator' | 'import';
  reason: string | null;
}

/**
 * Writes down who may not be written to, and who may again: per address of ours, person and category the latest event holds.
 *
 * Safe to repeat, in any order. @returns per event whether it changed what holds, in the order of the events
 */
export function recordSuppressions(db: Pick<Database, 'sql'>, events: readonly SuppressionEvent[]): Promise<Settled<boolean>[]> {
  return settleBatch(events, async (batch) => {
    const rows = await inStatement(db.sql, (sql) => upsertSuppressions(sql, batch));
    const changed = new Set(rows.map(({ position }) => position));
    return batch.map((_event, index) => changed.has(index + 1));
  });
}

/** The statement itself, for a transaction of the caller. Its rows are the positions (from 1) of the events that changed what holds. */
export function upsertSuppressions(sql: postgres.ISql, batch: readonly SuppressionEvent[]) {
  const texts = (read: (event: SuppressionEvent) => string | null) => batch.map((event) => sanitizeText(read(event)));
  return sql<{ position: number }[]>`
    WITH said AS MATERIALIZED (
      SELECT sender_address, form AS recipient, category, suppressed::boolean AS suppressed, COALESCE(at::timestamptz, now()) AS at, source,
        reason, position
      FROM unnest(
        ${texts((e) => e.senderAddress)}::text[], ${texts((e) => e.recipient)}::text[], ${texts((e) => e.category)}::text[],
        ${batch.map((e) => String(e.suppressed))}::text[], ${texts((e) => e.at)}::text[], ${texts((e) => e.source)}::text[],
        ${texts((e) => e.reason)}::text[]
      ) WITH ORDINALITY AS s (sender_address, recipient, category, suppressed, at, source, reason, position)
      -- The claim looks for every form of the recipient, so whoever is free again must be in each of them.
      CROSS JOIN LATERAL unnest(CASE suppressed WHEN 'true' THEN ARRAY[recipient] ELSE ${formsOf(sql, 'recipient')} END) AS f (form)
    ), latest AS MATERIALIZED (
      SELECT DISTINCT ON (sender_address, recipient, category) * FROM said
      ORDER BY sender_address, recipient, category, at DESC, suppressed DESC, position
    ), written AS (
      INSERT INTO suppressions AS s (sender_address, recipient, category, suppressed, event_at, source, reason)
      SELECT sender_address, recipient, category, suppressed, at, source, reason FROM latest
      -- In key order, so that two batches wait for each other instead of for ever.
      ORDER BY sender_address, recipient, category
      ON CONFLICT (sender_address, recipient, category) DO UPDATE SET suppressed = excluded.suppressed, event_at = excluded.event_at,
        source = excluded.source, reason = excluded.reason, updated_at = now()
      WHERE (excluded.event_at, excluded.suppressed) > (s.event_at, s.suppressed)
      RETURNING sender_address, recipient, category
    )
    SELECT l.position::int AS position FROM latest l JOIN written USING (sender_address, recipient, category)`;
}
