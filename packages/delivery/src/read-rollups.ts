import { addMeasures, type Measures } from '@tickmark/domain';
import { inStatement, type Database } from './database.ts';
import type { MetricsRange } from './metrics-range.ts';

/** Read with one statement: a long range must neither take seconds of one nor fill the memory. */
const SLICE_MS = 86_400_000;

/**
 * Measures by hour (milliseconds since 1970), of all senders or of those named: what is folded and what is not yet, of each hour in one view
 * of the database, so that they are exact up to the last commit.
 */
export async function readRollups(
  db: Pick<Database, 'sql'>,
  { since, until }: Pick<MetricsRange, 'since' | 'until'>,
  senders: readonly string[] | null,
): Promise<Map<number, Measures>> {
  const hours = new Map<number, Measures>();
  for (let start = since.getTime(); start < until.getTime(); start += SLICE_MS) {
    const end = Math.min(start + SLICE_MS, until.getTime());
    // oxlint-disable-next-line no-await-in-loop -- one slice after the other, to hold only one
    const rows = await readSlice(db, new Date(start), new Date(end), senders);
    for (const { hour, measures } of rows) {
      const sum = hours.get(hour.getTime()) ?? {};
      addMeasures(sum, measures);
      hours.set(hour.getTime(), sum);
    }
  }
  return hours;
}

function readSlice(db: Pick<Database, 'sql'>, since: Date, until: Date, senders: readonly string[] | null) {
  const names = senders === null ? null : [...senders];
  return inStatement(
    db.sql,
    (sql) => sql<{ hour: Date; measures: Measures }[]>`
      SELECT hour, measures FROM message_delivery_metrics
      WHERE hour >= ${since} AND hour < ${until} AND (${names}::text[] IS NULL OR sender = ANY (${names}::text[]))
      UNION ALL
      SELECT hour, changes FROM delivery_metric_changes
      WHERE hour >= ${since} AND hour < ${until} AND (${names}::text[] IS NULL OR sender = ANY (${names}::text[]))`,
  );
}
