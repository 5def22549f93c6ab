import type postgres from 'postgres';

/** The measures that a row of `whatsapp_messages` counts for, as the triggers count it: an array, null where it adds nothing. */
export function measuresOf(sql: postgres.ISql) {
  return sql`delivery_measures(
    status, error_code, message_sid IS NOT NULL, GREATEST(accepted_at, send_at), sent_at, delivered_at, read_at)`;
}
