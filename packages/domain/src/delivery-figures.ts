import { describeError } from './describe-error.ts';
import type { ErrorClass } from './error-classes.ts';
import { percentileOf } from './sketch.ts';

/**
 * What a set of messages counts for, by the SQL function `delivery_measures`: `messages`, `attempted`, `submitted`, `complete`, each status but the
 * waiting ones, `error <code>`, and the sketches of the latencies as `toSent <bucket>`, `toDelivered <bucket>`, `toRead <bucket>`.
 */
export type Measures = Record<string, number>;

/** Statuses that are counted each by itself: what else a message may be is waiting. */
export const COUNTED_STATUSES = [
  'unknown',
  'held',
  'queued',
  'sent',
  'canceled',
  'expired',
  'suppressed',
  'failed',
  'undelivered',
  'delivered',
  'read',
] as const;

export type CountedStatus = (typeof COUNTED_STATUSES)[number];

/** Messages, each counted once under its present status: one that was read is not among the delivered. */
export type DeliveryTotals = Record<'messages' | 'pending' | 'attempted' | 'submitted' | CountedStatus, number>;

export interface Rate {
  /** 0 to 1; null when the denominator is 0. */
  value: number | null;
  numerator: number;
  denominator: number;
}

/** Seconds; null when no latency is known. */
export interface Percentiles {
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

export interface DeliveryFigures {
  totals: DeliveryTotals;
  /**
   * - `delivery`: delivered or read, of the attempted (those that Twilio took, and those that it refused for good).
   * - `read`: read, of the delivered or read.
   * - `failure`: failed or undelivered, of the attempted.
   * - `completeness`: those with a final status, of the submitted (those that Twilio took).
   */
  rates: Record<'delivery' | 'read' | 'failure' | 'completeness', Rate>;
  /** From acceptance, or the time that a message was scheduled for, to when we were told of the stage. Off by 2 % at most. */
  latency: Record<'toSent' | 'toDelivered' | 'toRead', Percentiles>;
  /** Of the failed and undelivered messages, the most frequent first; some have no code. */
  errors: { code: number; class: ErrorClass; count: number }[];
}

/** Adds what one set of messages counts for to that of another. */
export function addMeasures(sum: Measures, added: Measures): void {
  for (const [measure, count] of Object.entries(added)) sum[measure] = (sum[measure] ?? 0) + count;
}

/** The figures of a set of messages. Measures of two sets that have no message in common may be added before. */
export function figuresOf(measures: Measures): DeliveryFigures {
  const totals = totalsOf(measures);
  const arrived = totals.delivered + totals.read;
  return {
    totals,
    rates: {
      delivery: rateOf(arrived, totals.attempted),
      read: rateOf(totals.read, arrived),
      failure: rateOf(totals.failed + totals.undelivered, totals.attempted),
      completeness: rateOf(measures['complete'] ?? 0, totals.submitted),
    },
    latency: {
      toSent: percentilesOf(measures, 'toSent'),
      toDelivered: percentilesOf(measures, 'toDelivered'),
      toRead: percentilesOf(measures, 'toRead'),
    },
    errors: errorsOf(measures),
  };
}

/** A share with what it was made of. */
export function rateOf(numerator: number, denominator: number): Rate {
  return { value: denominator === 0 ? null : numerator / denominator, numerator, denominator };
}

function totalsOf(measures: Measures): DeliveryTotals {
  const count = (measure: string) => measures[measure] ?? 0;
  const statuses = Object.fromEntries(COUNTED_STATUSES.map((status) => [status, count(status)])) as Record<CountedStatus, number>;
  const counted = Object.values(statuses).reduce((sum, value) => sum + value, 0);
  const messages = count('messages');
  return { messages, pending: messages - counted, attempted: count('attempted'), submitted: count('submitted'), ...statuses };
}

function percentilesOf(measures: Measures, stage: string): Percentiles {
  const sketch = new Map(numbersAfter(measures, `${stage} `));
  const secondsAt = (q: number) => {
    const ms = percentileOf(sketch, q);
    return ms === null ? null : ms / 1_000;
  };
  return { p50: secondsAt(0.5), p95: secondsAt(0.95), p99: secondsAt(0.99) };
}

function errorsOf(measures: Measures): DeliveryFigures['errors'] {
  return numbersAfter(measures, 'error ')
    .filter(([, count]) => count > 0)
    .map(([code, count]) => ({ code, class: describeError(code).class, count }))
    .toSorted((a, b) => b.count - a.count || a.code - b.code);
}

function numbersAfter(measures: Measures, prefix: string): [number, number][] {
  return Object.entries(measures).flatMap(([measure, count]) =>
    measure.startsWith(prefix) ? [[Number(measure.slice(prefix.length)), count] as [number, number]] : [],
  );
}
