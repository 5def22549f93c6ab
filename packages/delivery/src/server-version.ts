import type postgres from 'postgres';

/** UNIQUE NULLS NOT DISTINCT came with 15. */
const SERVER_VERSION_MIN = 150_000;

/** Null when the server is new enough, else what to do. */
export async function findServerTooOld(sql: postgres.ISql): Promise<string | null> {
  const [row] = await sql<{ number: number; name: string }[]>`
    SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS name`;
  if (row === undefined || row.number >= SERVER_VERSION_MIN) return null;
  return `PostgreSQL ${row.name} is too old: 15 or newer is needed. Upgrade the server, or let DATABASE_URL name a newer one.`;
}
