import { inStatement, inTransaction, type Database } from './database.ts';
import { lockRollups } from './fold-delivery-metrics.ts';
import { measuresOf } from './measures-of.ts';

export interface RebuildRange {
  /** Hours from this one on; from the oldest message unless given. */
  since?: Date | undefined;
  /** Hours before this moment; all unless given. */
  until?: Date | undefined;
  /** Told after each hour. */
  onProgress?: ((hour: Date) => void) | undefined;
}

/**
 * Counts the rollups of a range of hours from the messages themselves, in place of what they say: a repair, and the way to rollups after
 * rows were loaded without triggers. Hour by hour, each in one transaction, beside live traffic: nothing that is written meanwhile is lost
 * or counted twice. Safe to repeat; a rebuild that breaks off goes on where the next one begins.
 *
 * An hour and sender of which no row is left keep their figures. Of an hour whose rows were cleaned up in part only the rest is counted: do
 * not rebuild hours that the cleanup has reached.
 *
 * @returns how many hours were counted
 */
export async function rebuildDeliveryMetrics(
  db: Pick<Database, 'sql'>,
  { since, until, onProgress }: RebuildRange = {},
): Promise<{ hours: number }> {
  let from = since ?? null;
  for (let hours = 0; ; hours += 1) {
    // oxlint-disable-next-line no-await-in-loop -- hour after hour, so that none takes long
    const hour = await findNextHour(db, from, until ?? null);
    if (hour === null) return { hours };
    // oxlint-disable-next-line no-await-in-loop -- as above
    await rebuildHour(db, hour);
    onProgress?.(hour);
    from = new Date(hour.getTime() + 3_600_000);
  }
}

/** The first hour with messages, at or after the one that `from` lies in. */
async function findNextHour(db: Pick<Database, 'sql'>, from: Date | null, until: Date | null): Promise<Date | null> {
  const [row] = await inStatement(
    db.sql,
    (sql) => sql<{ hour: Date }[]>`
      SELECT delivery_hour(created_at) AS hour FROM whatsapp_messages
      WHERE created_at >= delivery_hour(COALESCE(${from}::timestamptz, '2000-01-01')) AND created_at < COALESCE(${until}::timestamptz, 'infinity')
      ORDER BY created_at LIMIT 1`,
  );
  return row?.hour ?? null;
}

/** One statement after the lock: it sees each change together with the row that it tells of, or neither. */
function rebuildHour(db: Pick<Database, 'sql'>, hour: Date): Promise<void> {
  return inTransaction(db.sql, async (tx) => {
    await lockRollups(tx, 'wait');
    await tx`
      WITH counted AS MATERIALIZED (
        SELECT sender, jsonb_object_agg(measure, count) AS measures FROM (
          SELECT COALESCE(sender, sender_address, '') AS sender, measure, count(*) AS count
          FROM whatsapp_messages, unnest(${measuresOf(tx)}) AS measure
          WHERE created_at >= ${hour} AND created_at < ${hour}::timestamptz + interval '1 hour' AND measure IS NOT NULL
          GROUP BY 1, 2
        ) c GROUP BY sender
      ), overtaken AS (
        DELETE FROM delivery_metric_changes d USING counted c WHERE d.hour = ${hour} AND d.sender = c.sender
      ), of_senders AS (
        INSERT INTO phone_delivery_performance AS p (phone, role, measures)
        SELECT address, 'sender', jsonb_object_agg(measure, change) FROM (
          SELECT COALESCE(s.address, c.sender) AS address, d.key AS measure, sum(d.value::bigint) AS change
          FROM counted c LEFT JOIN message_delivery_metrics m ON m.hour = ${hour} AND m.sender = c.sender
            LEFT JOIN senders s ON s.alias = c.sender, jsonb_each_text(add_measures(c.measures, COALESCE(m.measures, '{}'), -1)) d
          WHERE c.sender <> '' GROUP BY 1, 2
        ) a GROUP BY address
        ON CONFLICT (phone, role) DO UPDATE SET measures = add_measures(p.measures, excluded.measures), updated_at = now()
      )
      INSERT INTO message_delivery_metrics (hour, sender, measures)
      SELECT ${hour}::timestamptz, sender, measures FROM counted
      ON CONFLICT (hour, sender) DO UPDATE SET measures = excluded.measures, folded_at = now()`;
  });
}
