import type { Sender } from '@tickmark/domain';
import { inStatement, type Database } from './database.ts';

export interface SenderRow extends Sender {
  state: 'active' | 'paused';
}

/** Adds the senders that the table does not have; one that is there, by alias or address, stays as it is. Safe to repeat. */
export async function seedSenders(db: Pick<Database, 'sql'>, senders: readonly Sender[]): Promise<void> {
  await inStatement(
    db.sql,
    (sql) => sql`
      INSERT INTO senders (alias, address, mps)
      SELECT * FROM unnest(${senders.map((sender) => sender.alias)}::text[], ${senders.map((sender) => sender.address)}::text[],
        ${senders.map((sender) => sender.mps)}::float8[]) AS s (alias, address, mps)
      ORDER BY s.alias
      ON CONFLICT DO NOTHING`,
  );
}

/** Every sender, by alias. */
export function listSenders(db: Pick<Database, 'sql'>): Promise<SenderRow[]> {
  return inStatement(db.sql, (sql) => sql<SenderRow[]>`SELECT alias, address, mps, state FROM senders ORDER BY alias`);
}
