import type postgres from 'postgres';
import { inTransaction, inStatement, type Database } from './database.ts';
import { writeAudit } from './write-audit.ts';

/** Rows released per transaction: far from the statement's time-out, and few enough that nobody waits long for one of them. */
const PAGE_ROWS = 1_000;

export interface ReleaseHeldInput {
  /** All that is held for an error code, certain messages, or those of them that are still held for that code. */
  which: { code: number; ids?: readonly string[] } | { ids: readonly string[] };
  /** True = only count. */
  dryRun: boolean;
  actor: string;
  reason: string;
}

export interface HeldReleased {
  /** Held messages that were meant. */
  matched: number;
  /** Those that wait again, due now; fewer when somebody else moved some of them meanwhile. 0 for a dry run. */
  released: number;
}

/**
 * Lets held messages go on: those that are held at this moment and are meant, and no other. They are due at once, their attempts stay counted,
 * and the sweeper gives them jobs. Each is audited. Safe to repeat: a message that is held no more is not touched.
 *
 * @throws when the store goes away in between; what was released by then stays so
 */
export async function releaseHeld(db: Pick<Database, 'sql'>, { which, dryRun, actor, reason }: ReleaseHeldInput): Promise<HeldReleased> {
  // Chosen once: what is held anew while the pages are worked off is not part of what the operator looked at.
  const held = await findHeld(db, which);
  if (dryRun) return { matched: held.length, released: 0 };
  let released = 0;
  for (let from = 0; from < held.length; from += PAGE_ROWS) {
    const page = held.slice(from, from + PAGE_ROWS);
    released += await inTransaction(db.sql, async (tx) => {
      const rows = await releaseRows(tx, page, 'code' in which ? which.code : null);
      // The attempts tell one release of a message from the next one.
      const entry = { actor, action: 'held_released', reason };
      const entries = rows.map(({ id, ...details }) => ({ ...entry, messageId: id, details }));
      if (entries.length > 0) await writeAudit(tx, entries);
      return rows.length;
    });
  }
  return { matched: held.length, released };
}

/** The ids of those that are held now and are meant, in their order. */
export async function findHeld(db: Pick<Database, 'sql'>, which: ReleaseHeldInput['which']): Promise<string[]> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql<{ id: string }[]>`
      SELECT id FROM whatsapp_messages
      -- The words of the partial index, which holds the held rows only.
      WHERE open_status IN ('held') AND message_sid IS NULL
        ${'code' in which ? sql`AND error_code = ${which.code}` : sql``}
        ${which.ids ? sql`AND id = ANY (${[...which.ids]}::uuid[])` : sql``}
      ORDER BY id`,
  );
  return rows.map(({ id }) => id);
}

function releaseRows(tx: postgres.ISql, ids: readonly string[], code: number | null) {
  return tx<{ id: string; code: number | null; attempts: number }[]>`
    WITH locked AS MATERIALIZED (
      -- In key order, so that two batches with the same rows wait for each other instead of for ever.
      SELECT id FROM whatsapp_messages
      WHERE id = ANY (${[...ids]}::uuid[]) AND status = 'held' AND message_sid IS NULL
        -- One that was released, tried and held again meanwhile is not what the operator looked at.
        AND (${code}::int IS NULL OR error_code = ${code})
      ORDER BY id FOR NO KEY UPDATE
    )
    UPDATE whatsapp_messages m SET status = 'retrying', due_at = now(), updated_at = now()
    FROM locked l
    WHERE m.id = l.id
    RETURNING m.id, m.error_code AS code, m.attempts`;
}
