import { createDatabase } from '@tickmark/delivery';
import type { CampaignRow } from './campaign.ts';

/** What Postgres says about one row of this run. */
export interface StoredRow {
  id: string;
  status: string;
  errorCode: number | null;
  messageSid: string | null;
  /** The row that sends it again after a failure; null when there is none. */
  retry: { status: string; errorCode: number | null } | null;
}

/** The part of the simulator's ledger that the verdict rests on. */
export interface LedgerCreate {
  sid: string | null;
  m: string | null;
  a: number | null;
  outcome: 'created' | 'refused' | 'created-answer-lost';
}

export interface Verdict {
  total: number;
  asExpected: number;
  missing: number;
  duplicated: number;
  /** One line per row that is not as expected. */
  surprises: string[];
}

/** Whether the row, or the one that sends it again, has reached what its `expect` column allows. */
export function isAsExpected(row: CampaignRow, stored: StoredRow | undefined): boolean {
  const states = [stored, stored?.retry].flatMap((state) => (state ? [state.status, `${state.status}:${state.errorCode}`] : []));
  return row.expect.some((expected) => states.includes(expected));
}

/**
 * Judges this run alone.
 *
 * - missing: rows that are not stored, or that have a sid at Twilio by our record but not by the ledger, or that are expected to reach Twilio
 *   and are not in the ledger.
 * - duplicated: creates beyond one per (message, attempt), and messages at Twilio beyond one per row.
 */
export function judgeRun(
  rows: readonly CampaignRow[],
  ids: readonly string[],
  stored: ReadonlyMap<string, StoredRow>,
  creates: readonly LedgerCreate[],
): Verdict {
  const own = new Set(ids);
  const created = creates.filter((create) => create.outcome !== 'refused' && create.m !== null && own.has(create.m));
  const createdIds = new Set(created.map((create) => create.m));
  const perAttempt = countBy(
    creates.filter((create) => create.m !== null && own.has(create.m)),
    (create) => `${create.m} ${create.a}`,
  );
  const perMessage = countBy(created, (create) => `${create.m}`);
  const surprises = rows.flatMap((row, index) => {
    const found = stored.get(ids[index] ?? '');
    if (isAsExpected(row, found)) return [];
    const seen = found ? `${found.status}${found.errorCode === null ? '' : `:${found.errorCode}`}` : 'not stored';
    return [`row ${row.key}: expected ${row.expect.join(' or ')}, found ${seen} (message ${ids[index]})`];
  });
  return {
    total: rows.length,
    asExpected: rows.length - surprises.length,
    missing: rows.filter((row, index) => isMissing(row, ids[index] ?? '', stored, createdIds)).length,
    duplicated: sumBeyondOne(perAttempt) + sumBeyondOne(perMessage),
    surprises,
  };
}

/** Statuses that only a message at Twilio can have; with `failed` it depends on whether Twilio made a message or refused it. */
const AT_TWILIO = /^(queued|sent|delivered|read|undelivered)(:|$)/;

function isMissing(row: CampaignRow, id: string, stored: ReadonlyMap<string, StoredRow>, createdIds: ReadonlySet<string | null>): boolean {
  const found = stored.get(id);
  if (!found) return true;
  return (found.messageSid !== null || row.expect.every((expected) => AT_TWILIO.test(expected))) && !createdIds.has(id);
}

function countBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}

function sumBeyondOne(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, count) => sum + count - 1, 0);
}

/** Reads rows by id, straight from Postgres and not through our own API: the verdict must not rest on what it judges. */
export function createRowReader(databaseUrl: string): {
  read(ids: readonly string[]): Promise<Map<string, StoredRow>>;
  close(): Promise<void>;
} {
  const db = createDatabase({ url: databaseUrl, prepare: true, max: 1, applicationName: 'tickmark-start' });
  return {
    read: async (ids) => {
      const rows = await db.sql<StoredRow[]>`
        SELECT m.id, m.status, m.error_code AS "errorCode", m.message_sid AS "messageSid",
          CASE WHEN r.id IS NOT NULL THEN jsonb_build_object('status', r.status, 'errorCode', r.error_code) END AS retry
        FROM whatsapp_messages m LEFT JOIN whatsapp_messages r ON r.retry_of = m.id
        WHERE m.id = ANY(${[...ids]}::uuid[])`;
      return new Map(rows.map((row) => [row.id, row]));
    },
    close: () => db.close(),
  };
}
