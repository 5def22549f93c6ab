import type postgres from 'postgres';
import { inStatement, inTransaction, type Database } from './database.ts';
import { sanitizeText } from './sanitize-text.ts';
import type { StopScope, StopSource } from './schema.ts';
import { stopCounts } from './stop-conditions.ts';
import { unparkMessages } from './unpark-messages.ts';
import { writeAudit } from './write-audit.ts';

/** What a stop is about. `target`: alias, campaign, content sid or fingerprint of the credentials; `*` for the scope `all`. */
export interface StopTarget {
  scope: StopScope;
  target: string;
}

/** A person's stop; what the system stops by itself is a breaker ({@link openBreaker}). */
export interface OpenStop extends StopTarget {
  /** From now by the database's clock; null = until somebody ends it. */
  forMs: number | null;
  actor: string;
  reason?: string | null;
}

export interface EndStop extends StopTarget {
  source: StopSource;
  actor: string;
  reason?: string | null;
}

/** A stop that counts now. */
export interface SendStop extends StopTarget {
  source: StopSource;
  errorCode: number | null;
  reason: string | null;
  actor: string;
  level: number;
  openedAt: Date;
  until: Date | null;
  /** Until then, by the database's clock, so that no process's own one matters; null like `until`. */
  remainingMs: number | null;
  probedAt: Date | null;
}

/**
 * Stops a scope: from the next claim on nothing of it is granted. What was claimed before may still be on its way (see awaitStopEffective).
 *
 * Safe to repeat: one that counts already takes the new end and words, and keeps the time since when it counts. It goes to the audit log, once
 * per change.
 *
 * @returns whether it counted not yet
 */
export function openStop(
  db: Pick<Database, 'sql'>,
  { scope, target, forMs, actor, reason = null }: OpenStop,
): Promise<{ opened: boolean }> {
  const stop = { scope, target, source: 'operator', actor, reason: sanitizeText(reason) } as const;
  return inTransaction(db.sql, async (tx) => {
    const before = await lockStop(tx, stop);
    const [after] = await tx<[{ until: string | null }]>`
      INSERT INTO send_stops AS s (scope, target, source, reason, actor, level, until)
      VALUES (${scope}, ${sanitizeText(target)}, ${stop.source}, ${stop.reason}, ${sanitizeText(actor)}, 0,
        now() + ${forMs}::float8 * interval '1 millisecond')
      ON CONFLICT (scope, target, source) DO UPDATE SET
        reason = excluded.reason, actor = excluded.actor, until = excluded.until,
        opened_at = CASE WHEN s.until IS NULL OR s.until > now() THEN s.opened_at ELSE now() END
      RETURNING until::text`;
    const repeated = before?.counts === true && before.until === after.until && before.reason === stop.reason;
    if (!repeated) await auditStop(tx, 'stop_opened', stop);
    return { opened: before?.counts !== true };
  });
}

/**
 * Ends a stop, and lets the rows that were parked under it be due now; the sweeper gives them jobs. Rows that another stop covers stay.
 *
 * Safe to repeat, also when it was broken off in between: rows that were left parked are found by the next sweep. It goes to the audit log.
 *
 * @returns whether there was such a stop, and how many rows it had parked
 */
export async function endStop(db: Pick<Database, 'sql'>, stop: EndStop): Promise<{ ended: boolean; unparked: number }> {
  const ended = await inTransaction(db.sql, async (tx) => {
    const rows = await tx`
      DELETE FROM send_stops WHERE scope = ${stop.scope} AND target = ${sanitizeText(stop.target)} AND source = ${stop.source} RETURNING scope`;
    if (rows.length > 0) await auditStop(tx, 'stop_ended', stop);
    return rows.length > 0;
  });
  const { unparked } = await unparkMessages(db);
  return { ended, unparked };
}

/** Every stop that counts now, operators' first. */
export function listStops(db: Pick<Database, 'sql'>): Promise<SendStop[]> {
  return inStatement(
    db.sql,
    (sql) => sql<SendStop[]>`
      SELECT scope, target, source, error_code AS "errorCode", reason, actor, level, opened_at AS "openedAt", until,
        extract(epoch FROM until - now())::float8 * 1000 AS "remainingMs", probed_at AS "probedAt"
      FROM send_stops WHERE ${stopCounts(sql)}
      ORDER BY source = 'operator' DESC, scope, target`,
  );
}

async function lockStop(tx: postgres.ISql, { scope, target, source }: EndStop) {
  // There may be no row to lock yet, and of several that open it at once one shall be told that it did.
  await tx`SELECT pg_advisory_xact_lock(hashtextextended(${`stop ${source} ${scope} ${sanitizeText(target)}`}, 0))`;
  const [row] = await tx<{ counts: boolean; until: string | null; reason: string | null }[]>`
    SELECT ${stopCounts(tx)} AS counts, until::text AS until, reason FROM send_stops
    WHERE scope = ${scope} AND target = ${sanitizeText(target)} AND source = ${source} FOR UPDATE`;
  return row;
}

async function auditStop(tx: postgres.ISql, action: string, { actor, reason, scope, target, source }: EndStop): Promise<void> {
  await writeAudit(tx, [{ actor, action, messageId: null, reason: reason ?? null, details: { scope, target, source } }]);
}
