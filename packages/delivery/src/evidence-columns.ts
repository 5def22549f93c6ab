import { rankOf } from '@tickmark/domain';
import type postgres from 'postgres';
import type { Evidence } from './evidence.ts';

/** The evidences of a batch as a table `evidence` of a statement's WITH. */
export function evidenceTable(sql: postgres.ISql, items: readonly Evidence[]) {
  const times = (read: (item: Evidence) => number | null) => items.map((item) => toTimestamp(read(item)));
  return sql`evidence AS MATERIALIZED (
    SELECT message_sid, message_id, attempt, status, rank::smallint, error_code, contradicted::boolean, queued_at::timestamptz,
      sent_at::timestamptz, delivered_at::timestamptz, read_at::timestamptz, failed_at::timestamptz
    FROM unnest(
      ${items.map((item) => item.messageSid)}::text[], ${items.map((item) => item.messageId)}::uuid[],
      ${items.map((item) => item.attempt)}::int[], ${items.map((item) => item.projection.status)}::text[],
      ${items.map((item) => rankOf(item.projection.status))}::int[], ${items.map((item) => item.projection.errorCode)}::int[],
      ${items.map((item) => String(item.projection.contradicted))}::text[], ${times((item) => item.projection.queuedAt)}::text[],
      ${times((item) => item.projection.sentAt)}::text[], ${times((item) => item.projection.deliveredAt)}::text[],
      ${times((item) => item.projection.readAt)}::text[], ${times((item) => item.projection.failedAt)}::text[]
    ) AS e (message_sid, message_id, attempt, status, rank, error_code, contradicted, queued_at, sent_at, delivered_at, read_at, failed_at)
  )`;
}

/**
 * Whether evidence `e` is further than row `m`, by the total order: rank, then status by its bytes, then error code (none is lowest).
 * It stands in expressions, never in a WHERE, so that what comes late still leaves its times and contradictions.
 */
export function isFurther(sql: postgres.ISql) {
  return sql`((e.rank, e.status COLLATE "C", COALESCE(e.error_code, -1)) > (m.rank, m.status COLLATE "C", COALESCE(m.error_code, -1)))`;
}

function toTimestamp(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
