import type postgres from 'postgres';

/** Those of the sids that rows and attempts of ours have; true = by their own call or callback. External twins of them are free. */
export async function findBoundSids(tx: postgres.ISql, sids: readonly string[]): Promise<Map<string, boolean>> {
  const rows = await tx<{ sid: string; known: boolean }[]>`
    SELECT message_sid AS sid, sid_source <> 'adopted' AS known
    FROM whatsapp_messages WHERE message_sid = ANY (${[...sids]}::text[]) AND origin <> 'external'
    UNION ALL
    SELECT message_sid, true FROM message_attempts WHERE message_sid = ANY (${[...sids]}::text[])`;
  return new Map(rows.map(({ sid, known }) => [sid, known]));
}
