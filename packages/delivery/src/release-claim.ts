import type { Settled } from '@tickmark/runtime';
import type postgres from 'postgres';
import type { Claim } from './claim-for-sending.ts';
import { inStatement, inTransaction, type Database } from './database.ts';
import { releaseAdoptions } from './release-adoptions.ts';
import { settleBatch } from './settle-batch.ts';

export interface ReleaseAnswer {
  /** False: the row is no longer claimed under this token, nothing changed. */
  released: boolean;
}

/**
 * Gives back claims whose call was never made: the rows are waiting again, due now. The attempt stays counted, so that no two calls ever
 * share a number. Only for calls that certainly did not begin. Safe to repeat; answers are in the order of the claims.
 */
export function releaseClaim(db: Pick<Database, 'sql'>, claims: readonly Claim[]): Promise<Settled<ReleaseAnswer>[]> {
  return settleBatch(claims, async (batch) => {
    const rows = await inStatement(db.sql, (sql) => releaseRows(sql, batch));
    const adopters = batch.flatMap(({ id }, index) => (rows[index]?.adopted ? [id] : []));
    const again = adopters.length === 0 ? [] : await inTransaction(db.sql, (tx) => releaseAdopters(tx, adopters, batch));
    return rows.map(({ released }, index) => ({ released: released || again[index]?.released === true }));
  });
}

async function releaseAdopters(tx: postgres.ISql, adopters: readonly string[], batch: readonly Claim[]): Promise<ReleaseRow[]> {
  await releaseAdoptions(tx, adopters);
  return releaseRows(tx, batch);
}

interface ReleaseRow extends ReleaseAnswer {
  /** Someone took a message in Twilio's list for that of this call, which was never made. */
  adopted: boolean;
}

function releaseRows(sql: postgres.ISql, batch: readonly Claim[]): Promise<ReleaseRow[]> {
  const ids = batch.map((claim) => claim.id);
  return sql<ReleaseRow[]>`
    WITH claims AS MATERIALIZED (
      SELECT * FROM unnest(${ids}::uuid[], ${batch.map((claim) => claim.token)}::uuid[]) WITH ORDINALITY AS c (id, token, position)
    ), locked AS MATERIALIZED (
      -- In key order, so that two batches with the same rows wait for each other instead of for ever.
      SELECT id, claim_token, sid_source FROM whatsapp_messages WHERE id = ANY (${ids}::uuid[]) ORDER BY id FOR NO KEY UPDATE
    ), released AS (
      UPDATE whatsapp_messages m
      SET status = 'accepted', due_at = now(), outcome = 'released', ended_at = now(), updated_at = now()
      FROM (SELECT DISTINCT id, token FROM claims JOIN locked l USING (id) WHERE l.claim_token = token) c
      WHERE m.id = c.id AND m.claim_token = c.token AND m.status IN ('sending', 'unknown') AND m.message_sid IS NULL
      RETURNING m.id, m.claim_token
    )
    SELECT r.id IS NOT NULL AS released, COALESCE(l.sid_source = 'adopted' AND l.claim_token = c.token, false) AS adopted
    FROM claims c LEFT JOIN released r ON r.id = c.id AND r.claim_token = c.token LEFT JOIN locked l ON l.id = c.id
    ORDER BY c.position`;
}
