import type { SuppressionCategory } from '@tickmark/domain';
import type postgres from 'postgres';
import { inStatement, inTransaction, type Database } from './database.ts';
import { formsOf, formsOfAddress } from './recipient-forms.ts';
import { upsertSuppressions, type SuppressionEvent } from './record-suppressions.ts';
import { settleBatch } from './settle-batch.ts';
import { writeAudit, type AuditEntry } from './write-audit.ts';

/** Somebody who is not written to. */
export interface Suppression extends Pick<SuppressionEvent, 'senderAddress' | 'recipient' | 'category' | 'source' | 'reason'> {
  /** Alias; null when the address is none of our senders. */
  sender: string | null;
  /** When it was said, ISO 8601 in UTC. */
  at: string;
}

/** Where the list goes on: behind this one. */
export type SuppressionPosition = Pick<Suppression, 'at' | 'recipient' | 'senderAddress' | 'category'>;

/** Who is not written to now, the newest first; of one person, sender or category when they are given. */
export async function listSuppressions(
  db: Pick<Database, 'sql'>,
  {
    recipient,
    senderAddress,
    category = null,
    after = null,
    limit,
  }: {
    recipient: string | null;
    senderAddress: string | null;
    category?: SuppressionCategory | null;
    after?: SuppressionPosition | null;
    limit: number;
  },
): Promise<Suppression[]> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql<(Omit<Suppression, 'at'> & { at: Date })[]>`
      SELECT s.sender_address AS "senderAddress", n.alias AS sender, s.recipient, s.category, s.source, s.reason, s.event_at AS at
      FROM suppressions s LEFT JOIN senders n ON n.address = s.sender_address
      WHERE s.suppressed AND (${recipient}::text IS NULL OR s.recipient = ANY (${recipient === null ? [] : formsOfAddress(recipient)}::text[]))
        AND (${senderAddress}::text IS NULL OR s.sender_address = ${senderAddress})
        AND (${category}::text IS NULL OR s.category = ${category})
        ${after === null ? sql`` : sql`AND (s.event_at, s.recipient, s.sender_address, s.category) < (${after.at}::text::timestamptz, ${after.recipient}, ${after.senderAddress}, ${after.category})`}
      ORDER BY s.event_at DESC, s.recipient DESC, s.sender_address DESC, s.category DESC LIMIT ${limit}`,
  );
  return rows.map((row) => ({ ...row, at: row.at.toISOString() }));
}

/** What an operator says now: each person, of each of these senders, in each of these categories. */
export function suppressionEvents(said: {
  recipients: readonly string[];
  senderAddresses: readonly string[];
  categories: readonly SuppressionCategory[];
  suppressed: boolean;
  reason: string | null;
}): SuppressionEvent[] {
  const { recipients, senderAddresses, categories, suppressed, reason } = said;
  return recipients.flatMap((recipient) =>
    senderAddresses.flatMap((senderAddress) =>
      categories.map((category) => ({ senderAddress, recipient, category, suppressed, at: null, source: 'operator' as const, reason })),
    ),
  );
}

/**
 * Writes down what an operator says about people, and who said it, in one transaction. Safe to repeat: what was said later holds.
 *
 * @returns how many of the events changed what holds, and how many suppressions ended
 */
export async function changeSuppressions(
  db: Pick<Database, 'sql'>,
  events: readonly SuppressionEvent[],
  audit: Omit<AuditEntry, 'messageId'>,
): Promise<{ changed: number; lifted: number }> {
  // One item: it is all of them or none, again after a lost race.
  const [settled] = await settleBatch([events], async () => [
    await inTransaction(db.sql, async (tx) => {
      const holding = await selectHolding(tx, events);
      const positions = await upsertSuppressions(tx, events);
      const changed = new Set(positions.map(({ position }) => position)).size;
      const lifted = holding - (await selectHolding(tx, events));
      await writeAudit(tx, [{ ...audit, messageId: null, details: { ...audit.details, changed } }]);
      return { changed, lifted };
    }),
  ]);
  if (settled?.ok !== true) throw settled?.error;
  return settled.value;
}

/** How many suppressions hold that these events are to end. */
async function selectHolding(tx: postgres.ISql, events: readonly SuppressionEvent[]): Promise<number> {
  const ending = events.filter(({ suppressed }) => !suppressed);
  if (ending.length === 0) return 0;
  const [row] = await tx<{ count: number }[]>`
    SELECT count(DISTINCT (s.sender_address, s.recipient, s.category))::int AS count
    FROM unnest(${ending.map((e) => e.senderAddress)}::text[], ${ending.map((e) => e.recipient)}::text[],
      ${ending.map((e) => e.category)}::text[]) AS e (sender_address, recipient, category)
    CROSS JOIN LATERAL unnest(${formsOf(tx, 'recipient')}) AS f (form)
    JOIN suppressions s ON s.sender_address = e.sender_address AND s.recipient = f.form AND s.category = e.category
    WHERE s.suppressed`;
  return row?.count ?? 0;
}
