import type postgres from 'postgres';

/** What a retry has of the message that it repeats. */
export function repeatedColumns(sql: postgres.ISql) {
  return sql`producer, sender, sender_address, recipient, body, content_sid, content_variables, media_url, content_key_id, content_sha256,
    priority, category, campaign, metadata, on_unknown`;
}
