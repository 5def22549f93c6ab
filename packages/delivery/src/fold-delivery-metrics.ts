import type postgres from 'postgres';
import { inTransaction, type Database } from './database.ts';

/**
 * Changes folded in one transaction. Those of a migration or of an import have some 200 measures each: 500 took 3 s on a busy machine, 2,000
 * more than the 8 s of a statement, and would have been tried for ever.
 */
const BATCH_ROWS = 500;

/**
 * Folds the changes that statements have noted into `message_delivery_metrics`, batch by batch until none is left.
 *
 * Each batch is one transaction: its changes are deleted and added in the same statement, so that whatever is killed at whatever moment
 * counts nothing twice and loses nothing, and a reader of both tables never sees a difference. Safe to repeat, and in several processes.
 *
 * @returns how many changes were folded; null when another process is at it
 */
export async function foldDeliveryMetrics(
  db: Pick<Database, 'sql'>,
  { batchRows = BATCH_ROWS, signal }: { batchRows?: number; signal?: AbortSignal | undefined } = {},
): Promise<number | null> {
  for (let folded = 0; ;) {
    // oxlint-disable-next-line no-await-in-loop -- each batch takes what the one before left
    const count = await foldBatch(db, batchRows);
    if (count === null) return folded === 0 ? null : folded;
    folded += count;
    if (count < batchRows || signal?.aborted === true) return folded;
  }
}

function foldBatch(db: Pick<Database, 'sql'>, batchRows: number): Promise<number | null> {
  return inTransaction(db.sql, async (tx) => {
    // The rollups are read, added to and written: two at a time would lose what the other added.
    if (!(await lockRollups(tx, 'try'))) return null;
    const [row] = await tx<{ folded: number }[]>`
      WITH taken AS (
        DELETE FROM delivery_metric_changes
        WHERE id = ANY (ARRAY (SELECT id FROM delivery_metric_changes ORDER BY id LIMIT ${batchRows}))
        RETURNING hour, sender, changes
      ), sums AS (
        SELECT t.hour, t.sender, c.key AS measure, sum(c.value::bigint) AS count
        FROM taken t, jsonb_each_text(t.changes) c GROUP BY 1, 2, 3
      ), folded AS (
        INSERT INTO message_delivery_metrics AS m (hour, sender, measures)
        SELECT hour, sender, jsonb_object_agg(measure, count) FROM sums GROUP BY hour, sender
        ON CONFLICT (hour, sender) DO UPDATE SET measures = add_measures(m.measures, excluded.measures), folded_at = now()
      ), of_senders AS (
        INSERT INTO phone_delivery_performance AS p (phone, role, measures)
        SELECT address, 'sender', jsonb_object_agg(measure, count) FROM (
          -- One address may have been counted under its alias and, from before it had one, under itself.
          SELECT COALESCE(s.address, c.sender) AS address, measure, sum(count) AS count
          FROM sums c LEFT JOIN senders s ON s.alias = c.sender WHERE c.sender <> '' GROUP BY 1, 2
        ) a GROUP BY address
        ON CONFLICT (phone, role) DO UPDATE SET measures = add_measures(p.measures, excluded.measures), updated_at = now()
      )
      SELECT count(*)::int AS folded FROM taken`;
    return row?.folded ?? 0;
  });
}

/** Until the transaction ends nobody else writes the rollups. @returns false when `try` found somebody at it */
export async function lockRollups(tx: postgres.ISql, how: 'try' | 'wait'): Promise<boolean> {
  const key = tx`hashtextextended('delivery rollups', 0)`;
  if (how === 'wait') await tx`SELECT pg_advisory_xact_lock(${key})`;
  else {
    const [row] = await tx<{ locked: boolean }[]>`SELECT pg_try_advisory_xact_lock(${key}) AS locked`;
    return row?.locked === true;
  }
  return true;
}
