import { addMeasures, describeError, figuresOf, type ErrorClass, type Measures } from '@tickmark/domain';

export type PhoneRole = 'sender' | 'recipient';

/** A row of `phone_delivery_performance`. */
export interface PerformanceRow {
  role: PhoneRole;
  measures: Measures;
  lastErrorCode: number | null;
  lastErrorAt: Date | null;
  lastDeliveredAt: Date | null;
  firstMessageAt: Date | null;
  lastMessageAt: Date | null;
  updatedAt: Date;
}

/** What is known of a phone in one role: of a recipient its latest 1,000 messages that are kept, of a sender all that were ever counted. Times are ISO 8601. */
export interface PhonePerformance {
  /** Messages that Twilio took or refused for good. */
  attempts: number;
  /** Arrived, read or not. */
  delivered: number;
  read: number;
  /** Failed messages that have an error code, by its class. */
  failuresByClass: Partial<Record<ErrorClass, number>>;
  lastError: { code: number; class: ErrorClass; at: string } | null;
  lastDeliveredAt: string | null;
  firstMessageAt: string | null;
  lastMessageAt: string | null;
  /**
   * `unreachable`: the latest failure is newer than the latest delivery and of the phone itself (class `recipient`; of a sender `account`).
   * `reachable`: something was delivered, and nothing of the kind came after it. `unknown`: neither.
   */
  reachability: 'reachable' | 'unreachable' | 'unknown';
  /** When a job last counted; null when it never had reason to. */
  updatedAt: string | null;
}

/** Puts the rows of one role together: one person may be known under several forms of the number. */
export function describePerformance(role: PhoneRole, rows: readonly PerformanceRow[]): PhonePerformance {
  const measures: Measures = {};
  for (const row of rows) addMeasures(measures, row.measures);
  const { totals, rates, errors } = figuresOf(measures);
  const failuresByClass: PhonePerformance['failuresByClass'] = {};
  for (const { class: name, count } of errors) failuresByClass[name] = (failuresByClass[name] ?? 0) + count;
  const lastDeliveredAt = latest(rows.map((row) => row.lastDeliveredAt));
  const lastErrorAt = latest(rows.map((row) => row.lastErrorAt));
  const code = rows.find((row) => row.lastErrorAt?.getTime() === lastErrorAt?.getTime())?.lastErrorCode ?? null;
  const lastError = lastErrorAt && code !== null ? { code, class: describeError(code).class, at: lastErrorAt.toISOString() } : null;
  return {
    attempts: totals.attempted,
    delivered: rates.delivery.numerator,
    read: totals.read,
    failuresByClass,
    lastError,
    lastDeliveredAt: lastDeliveredAt?.toISOString() ?? null,
    firstMessageAt: earliest(rows.map((row) => row.firstMessageAt))?.toISOString() ?? null,
    lastMessageAt: latest(rows.map((row) => row.lastMessageAt))?.toISOString() ?? null,
    reachability: judgeReachability(role, lastError, lastDeliveredAt),
    updatedAt: latest(rows.map((row) => row.updatedAt))?.toISOString() ?? null,
  };
}

function judgeReachability(role: PhoneRole, lastError: PhonePerformance['lastError'], lastDeliveredAt: Date | null) {
  const blocking: ErrorClass = role === 'recipient' ? 'recipient' : 'account';
  const failedLast = lastError !== null && (lastDeliveredAt === null || Date.parse(lastError.at) > lastDeliveredAt.getTime());
  if (failedLast && lastError.class === blocking) return 'unreachable';
  return lastDeliveredAt === null ? 'unknown' : 'reachable';
}

function latest(times: readonly (Date | null)[]): Date | null {
  return times.reduce((a, b) => (a !== null && (b === null || a > b) ? a : b), null);
}

function earliest(times: readonly (Date | null)[]): Date | null {
  return times.reduce((a, b) => (a !== null && (b === null || a < b) ? a : b), null);
}
