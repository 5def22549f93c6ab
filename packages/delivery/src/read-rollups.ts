import { addMeasures, type Measures } from '@tickmark/domain';
import { inStatement, type Database } from './database.ts';
import { HOUR_MS, startOfHour, type MetricsRange } from './metrics-range.ts';
import { measuresOf } from './measures-of.ts';

/** Read with one statement: a long range must neither take seconds of one nor fill the memory. */
const SLICE_MS = 86_400_000;

/**
 * Measures by hour (milliseconds since 1970), of all senders or of those named: what is folded and what is not yet, of each hour in one view
 * of the database, so that they are exact up to the last commit. An hour of which the range holds a part is counted from its messages.
 */
export async function readRollups(
  db: Pick<Database, 'sql'>,
  { since, until }: Pick<MetricsRange, 'since' | 'until'>,
  senders: readonly string[] | null,
): Promise<Map<number, Measures>> {
  const hours = new Map<number, Measures>();
  const add = (rows: readonly { hour: Date; measures: Measures }[]) => {
    for (const { hour, measures } of rows) {
      const sum = hours.get(hour.getTime()) ?? {};
      addMeasures(sum, measures);
      hours.set(hour.getTime(), sum);
    }
  };
  const { start, end, parts } = splitRange(since, until);
  for (let from = start; from < end; from += SLICE_MS) {
    // oxlint-disable-next-line no-await-in-loop -- one slice after the other, to hold only one
    add(await readSlice(db, new Date(from), new Date(Math.min(from + SLICE_MS, end)), senders));
  }
  for (const part of parts) {
    // oxlint-disable-next-line no-await-in-loop -- two at most
    add(await countPart(db, part, senders));
  }
  return hours;
}

/** The whole hours of a range, and what it holds besides of an hour at each end. The hour that is not over is whole: nothing is later. */
function splitRange(since: Date, until: Date): { start: number; end: number; parts: { since: Date; until: Date }[] } {
  const start = startOfHour(new Date(since.getTime() + HOUR_MS - 1));
  const end = until.getTime() >= Date.now() ? startOfHour(new Date(until.getTime() + HOUR_MS - 1)) : startOfHour(until);
  if (start > end) return { start, end: start, parts: [{ since, until }] };
  const parts = [
    { since, until: new Date(start) },
    { since: new Date(end), until },
  ];
  return { start, end, parts: parts.filter((part) => part.since < part.until) };
}

function countPart(db: Pick<Database, 'sql'>, { since, until }: { since: Date; until: Date }, senders: readonly string[] | null) {
  const names = senders === null ? null : [...senders];
  return inStatement(
    db.sql,
    (sql) => sql<{ hour: Date; measures: Measures }[]>`
      SELECT delivery_hour(${since}) AS hour, jsonb_object_agg(measure, count) AS measures FROM (
        SELECT measure, count(*) AS count
        FROM whatsapp_messages, unnest(${measuresOf(sql)}) AS measure
        WHERE created_at >= ${since} AND created_at < ${until} AND measure IS NOT NULL
          AND (${names}::text[] IS NULL OR COALESCE(sender, sender_address, '') = ANY (${names}::text[]))
        GROUP BY 1
      ) c HAVING count(*) > 0`,
  );
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
