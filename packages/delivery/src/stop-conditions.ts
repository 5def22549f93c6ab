import type postgres from 'postgres';

/** Whether a row of `send_stops` counts, as a condition on its columns. */
export function stopCounts(sql: postgres.ISql) {
  return sql`(until IS NULL OR until > now())`;
}

/** Whether a stop of its campaign or its template counts for a message `m`; true or not true (null: it has neither). */
export function isStoppedByContent(sql: postgres.ISql) {
  const targetsOf = (scope: 'campaign' | 'template') => sql`(SELECT target FROM send_stops WHERE scope = ${scope} AND ${stopCounts(sql)})`;
  return sql`(m.campaign IN ${targetsOf('campaign')} OR m.content_sid IN ${targetsOf('template')})`;
}
