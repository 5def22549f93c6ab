import type { Database } from './database.ts';
import { answerOf, resolveRange, type MetricsAnswer, type MetricsRangeInput } from './metrics-range.ts';
import { readRollups } from './read-rollups.ts';

export interface PlatformDeliveryMetricsInput extends MetricsRangeInput {
  /** Alias of one sender; all messages unless given, also those that others sent through the account. */
  sender?: string | undefined;
}

/**
 * What became of the messages that came in a range of time: totals, rates (0 to 1, with numerator and denominator), latencies in seconds, errors,
 * and the same per hour or day.
 *
 * Exact up to the last commit, whatever the scheduled jobs have done. Of an hour that the range holds only a part of, messages that were cleaned
 * up are not counted. Reads only: safe to repeat.
 *
 * @returns zeros and null rates for a time or sender that nothing is known of
 * @throws AppError VALIDATION_FAILED for a range that is empty, or longer than 1,500 hours (1,100 days with `bucket: 'day'`); an error of the
 * database comes through
 */
export async function getPlatformDeliveryMetrics(
  { db }: { db: Pick<Database, 'sql'> },
  { sender, ...input }: PlatformDeliveryMetricsInput = {},
): Promise<MetricsAnswer> {
  const range = resolveRange(input);
  return answerOf(range, await readRollups(db, range, sender === undefined ? null : [sender]));
}
