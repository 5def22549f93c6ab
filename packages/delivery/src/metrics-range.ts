import { addMeasures, AppError, figuresOf, type DeliveryFigures, type Measures } from '@tickmark/domain';

export const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

/** What an answer may hold: a point of its series has a few hundred bytes. */
const POINTS_MAX = 1_500;
const DAYS_MAX = 1_100;

/** The time that metrics are asked for; all optional. */
export interface MetricsRangeInput {
  /** Default: 24 hours before `until`. */
  since?: Date | undefined;
  /** Default: now. */
  until?: Date | undefined;
  /** What one point of the series stands for (UTC); default `hour`. */
  bucket?: 'hour' | 'day' | undefined;
}

/** From `since` up to but not including `until`, to the millisecond. */
export interface MetricsRange {
  since: Date;
  until: Date;
  bucket: 'hour' | 'day';
}

/** One point of a series: messages that came from `at` on, up to the next hour or day, as far as it lies in the range. */
export interface MetricsPoint extends DeliveryFigures {
  at: string;
}

/** Figures of a range, as a whole and over time; times are ISO 8601 in UTC. A message belongs to the moment in which it was accepted. */
export interface MetricsAnswer extends DeliveryFigures {
  since: string;
  until: string;
  series: MetricsPoint[];
}

/** @throws AppError VALIDATION_FAILED when the range is empty or too long for one answer */
export function resolveRange({ since, until = new Date(), bucket = 'hour' }: MetricsRangeInput): MetricsRange {
  const range = { since: since ?? new Date(until.getTime() - DAY_MS), until, bucket };
  const hours = (range.until.getTime() - range.since.getTime()) / HOUR_MS;
  if (hours <= 0) refuse('since', 'since must lie before until');
  if (bucket === 'hour' && hours > POINTS_MAX) refuse('bucket', `more than ${POINTS_MAX} hours: ask with bucket=day, or for less`);
  if (hours > DAYS_MAX * 24) refuse('since', `more than ${DAYS_MAX} days: ask for less at a time`);
  return range;
}

/** Milliseconds since 1970 of the hour (UTC) that a moment lies in. */
export function startOfHour(moment: Date): number {
  return Math.floor(moment.getTime() / HOUR_MS) * HOUR_MS;
}

function refuse(path: string, message: string): never {
  throw new AppError('VALIDATION_FAILED', `Correct ${path}: ${message}.`, { details: [{ path, message }] });
}

/** Puts the measures of hours (milliseconds since 1970 → measures) together as an answer. A point of which nothing is known has zeros. */
export function answerOf({ since, until, bucket }: MetricsRange, hours: ReadonlyMap<number, Measures>): MetricsAnswer {
  const all: Measures = {};
  const points = new Map<number, Measures>();
  const step = bucket === 'hour' ? HOUR_MS : DAY_MS;
  for (let hour = startOfHour(since); hour < until.getTime(); hour += HOUR_MS) {
    const at = Math.max(since.getTime(), Math.floor(hour / step) * step);
    const point = points.get(at) ?? {};
    addMeasures(point, hours.get(hour) ?? {});
    points.set(at, point);
  }
  for (const point of points.values()) addMeasures(all, point);
  return {
    since: since.toISOString(),
    until: until.toISOString(),
    ...figuresOf(all),
    series: [...points].map(([at, measures]) => ({ at: new Date(at).toISOString(), ...figuresOf(measures) })),
  };
}
