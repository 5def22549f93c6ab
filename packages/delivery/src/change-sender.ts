import { inTransaction, type Database } from './database.ts';
import type { SenderRow } from './seed-senders.ts';
import { writeAudit } from './write-audit.ts';

export interface SenderChange {
  alias: string;
  /** Messages per second, above 0; undefined = as it is. */
  mps?: number | undefined;
  state?: SenderRow['state'] | undefined;
  actor: string;
  reason: string | null;
}

/**
 * Changes the pace of a sender, or pauses it; workers follow within 5 s. Safe to repeat: what changes nothing is not audited.
 *
 * @returns the sender as it is now; null when there is none of that alias
 */
export function changeSender(db: Pick<Database, 'sql'>, { alias, mps, state, actor, reason }: SenderChange): Promise<SenderRow | null> {
  return inTransaction(db.sql, async (tx) => {
    const [before] = await tx<SenderRow[]>`SELECT alias, address, mps, state FROM senders WHERE alias = ${alias} FOR UPDATE`;
    if (before === undefined) return null;
    const after = { ...before, mps: mps ?? before.mps, state: state ?? before.state };
    if (after.mps === before.mps && after.state === before.state) return before;
    await tx`UPDATE senders SET mps = ${after.mps}, state = ${after.state}, updated_at = now() WHERE alias = ${alias}`;
    const details = { sender: alias, mps: after.mps, mpsBefore: before.mps, state: after.state, stateBefore: before.state };
    await writeAudit(tx, [{ actor, action: 'sender_changed', messageId: null, reason, details }]);
    return after;
  });
}
