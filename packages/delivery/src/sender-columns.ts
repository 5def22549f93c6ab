import type postgres from 'postgres';
import type { Evidence } from './evidence.ts';

/** Alias, sender address and recipient of a row that is made from what a callback told of it (see {@link addressArrays}). */
export function senderColumns(sql: postgres.ISql) {
  return sql`
    (SELECT s.alias FROM senders s WHERE s.address IN (e.service, e.from_address) ORDER BY s.address = e.service DESC LIMIT 1),
    COALESCE(e.service, e.from_address), e.to_address`;
}

/** Three arrays for `unnest(…) AS e (…, from_address, to_address, service)`. */
export function addressArrays(sql: postgres.ISql, items: readonly Evidence[]) {
  return sql`${items.map((item) => item.from)}::text[], ${items.map((item) => item.to)}::text[],
    ${items.map((item) => item.messagingServiceSid)}::text[]`;
}
