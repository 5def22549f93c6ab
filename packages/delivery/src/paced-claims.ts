import type postgres from 'postgres';

/** Claims for one recipient of one sender in a minute: WhatsApp refuses more than about one message in 6 s for longer. */
const PAIR_CLAIMS_MAX = 10;

/** Messages that waited for a place come back spread over this. */
const PAIR_JITTER_SECONDS = 2;

/**
 * `paced`: each claimable row once, for its first token, and when its pair of sender and recipient has a place for it; null = now. What was
 * claimed for the pair within the last minute takes places, and so do the rows of this batch before it, transactional ones first.
 */
export function pacedTable(sql: postgres.ISql) {
  return sql`candidates AS MATERIALIZED (
      SELECT DISTINCT ON (id) * FROM decided WHERE verdict = 'claimable' ORDER BY id, position
    ), turns AS MATERIALIZED (
      SELECT c.*, COALESCE(cardinality(t.times), 0) AS taken, t.times,
        row_number() OVER (PARTITION BY c.sender_address, LEAST(c.forms[1], c.forms[2]) ORDER BY c.priority = 'bulk', c.position)::int AS turn
      FROM candidates c CROSS JOIN LATERAL (
        SELECT array_agg(o.claimed_at ORDER BY o.claimed_at) AS times FROM whatsapp_messages o
        WHERE o.recipient = ANY (c.forms) AND o.claimed_at > now() - interval '1 minute' AND o.sender_address = c.sender_address
          AND o.id <> c.id
      ) t
    ), paced AS MATERIALIZED (
      SELECT t.*, CASE WHEN turn + taken > ${PAIR_CLAIMS_MAX}::int
        -- When the claim whose place it takes is a minute old: one that is there, or one of those before it in this batch.
        THEN COALESCE(times[turn + taken - ${PAIR_CLAIMS_MAX}::int], now() + ((turn - 1) / ${PAIR_CLAIMS_MAX}::int - 1) * interval '1 minute')
          + interval '1 minute' + random() * ${PAIR_JITTER_SECONDS}::float8 * interval '1 second' END AS free_at
      FROM turns t
    )`;
}
