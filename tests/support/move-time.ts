import type { Database } from '@tickmark/delivery';

/** Kept by triggers, which follow the messages. */
const ROLLUPS = ['message_delivery_metrics', 'delivery_metric_changes'];

/** Makes everything that the database remembers so many hours older: what it would hold had the time passed. */
export async function letHoursPass(db: Pick<Database, 'sql'>, hours: number): Promise<void> {
  const columns = await db.sql<{ table: string; names: string[] }[]>`
    SELECT table_name AS table, array_agg(column_name::text) AS names FROM information_schema.columns
    WHERE table_schema = 'public' AND data_type = 'timestamp with time zone' AND table_name <> ALL (${ROLLUPS}::text[])
    GROUP BY table_name`;
  for (const { table, names } of columns) {
    const moved = names.map((name) => db.sql`${db.sql(name)} = ${db.sql(name)} - ${hours} * interval '1 hour'`);
    const list = moved.reduce((all, one) => db.sql`${all}, ${one}`);
    await db.sql`UPDATE ${db.sql(table)} SET ${list}`;
  }
}
