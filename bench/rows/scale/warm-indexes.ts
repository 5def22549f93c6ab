import postgres from 'postgres';

/**
 * Reads the indexes that every status goes through, as those of an installation in use are in memory: sids are random, so that each status
 * would otherwise wait for a page from the disk that nobody has read since the load.
 *
 * @returns how many bytes they take
 */
export async function warmIndexes(url: string): Promise<number> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  try {
    await sql`CREATE EXTENSION IF NOT EXISTS pg_prewarm`;
    const [row] = await sql<{ bytes: number }[]>`
      SELECT sum(pg_prewarm(indexrelid, 'read') * current_setting('block_size')::int8)::float8 AS bytes
      FROM pg_index WHERE indrelid IN ('whatsapp_messages'::regclass, 'message_status_logs'::regclass)`;
    return row?.bytes ?? 0;
  } finally {
    await sql.end({ timeout: 1 });
  }
}
