import { sanitizeText } from './sanitize-text.ts';
import { inStatement, type Database } from './database.ts';
import type { StopTarget } from './send-stops.ts';
import { SYSTEM_ACTOR } from './write-audit.ts';

/** The level is a power of two of the first pause; above this it says nothing more. */
const LEVEL_MAX = 15;

/** A pause that doubles each time that it was not enough, and begins anew after a quiet time. */
export interface BreakerPause {
  firstMs: number;
  longestMs: number;
  quietMs: number;
}

export interface OpenBreaker extends StopTarget {
  errorCode: number;
  /** For operators: what the code means. */
  reason: string;
  /** Null: until a probe gets through, or somebody ends it. */
  pause: BreakerPause | null;
}

/**
 * Opens a breaker. One that is open stays as it is, however many failures of the same moment ask for it; only a pause may become one that
 * waits for a repair. Its level rises by one with each time that it opens again within the quiet time after its end. Safe to repeat.
 *
 * @returns the breaker as this call opened it; null when it was open already
 */
export async function openBreaker(
  db: Pick<Database, 'sql'>,
  { scope, target, errorCode, reason, pause }: OpenBreaker,
): Promise<{ level: number; forMs: number | null } | null> {
  const { firstMs, longestMs, quietMs } = pause ?? { firstMs: null, longestMs: null, quietMs: 0 };
  const [opened] = await inStatement(db.sql, (sql) => {
    const counts = sql`(s.until IS NULL OR s.until > now())`;
    const level = sql`CASE
      WHEN ${counts} THEN s.level
      WHEN s.until < now() - ${quietMs}::float8 * interval '1 millisecond' THEN 0
      ELSE LEAST(s.level + 1, ${LEVEL_MAX}::int)
    END`;
    return sql<{ level: number; forMs: number | null }[]>`
      INSERT INTO send_stops AS s (scope, target, source, error_code, reason, actor, level, until)
      VALUES (${scope}, ${sanitizeText(target)}, 'breaker', ${errorCode}, ${sanitizeText(reason)}, ${SYSTEM_ACTOR}, 0,
        now() + ${firstMs}::float8 * interval '1 millisecond')
      ON CONFLICT (scope, target, source) DO UPDATE SET
        error_code = excluded.error_code, reason = excluded.reason, actor = excluded.actor, level = ${level}, opened_at = now(), probed_at = NULL,
        until = now() + LEAST(${firstMs}::float8 * 2 ^ (${level}), ${longestMs}::float8) * interval '1 millisecond'
      WHERE NOT ${counts} OR (s.until IS NOT NULL AND excluded.until IS NULL)
      RETURNING s.level, extract(epoch FROM s.until - now())::float8 * 1000 AS "forMs"`;
  });
  return opened ?? null;
}

/**
 * Takes the turn to try a breaker that waits for a repair: at most one process gets it, once in so long after the breaker opened or was last
 * tried. Nothing has to be given back.
 */
export async function takeProbe(db: Pick<Database, 'sql'>, { scope, target }: StopTarget, everyMs: number): Promise<boolean> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql`
      UPDATE send_stops SET probed_at = now()
      WHERE scope = ${scope} AND target = ${sanitizeText(target)} AND source = 'breaker' AND until IS NULL
        AND GREATEST(opened_at, probed_at) <= now() - ${everyMs}::float8 * interval '1 millisecond'
      RETURNING scope`,
  );
  return rows.length > 0;
}

/**
 * Lets a breaker whose probe got through end after so long, during which it may still open again: Twilio takes many a message that fails a
 * moment later. @returns false when it does not wait for a repair (any more)
 */
export async function endBreakerSoon(db: Pick<Database, 'sql'>, { scope, target }: StopTarget, afterMs: number): Promise<boolean> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql`
      UPDATE send_stops SET until = now() + ${afterMs}::float8 * interval '1 millisecond'
      WHERE scope = ${scope} AND target = ${sanitizeText(target)} AND source = 'breaker' AND until IS NULL
      RETURNING scope`,
  );
  return rows.length > 0;
}
