import { waitFor } from '@tickmark/testing';
import { judgeMessages, type JudgedRow, type Judgement } from './judge-messages.ts';
import type { Pipeline } from './pipeline.ts';

/** Longer than the fence, a call and its record: what is claimed for so long without an outcome is claimed by a worker that is dead. */
const DEAD_CLAIM_SECONDS = 20;

/** Waits until every accepted message has a row, none waits or is claimed, and no call is under way whose callback came first. Dead workers' claims are made a minute older, not waited for. */
export async function untilNothingWaits(pipeline: Pipeline, accepted: readonly string[], timeoutMs: number): Promise<void> {
  const { sql } = pipeline.db;
  await waitFor(
    async () => {
      await sql`
        UPDATE whatsapp_messages SET claimed_at = claimed_at - interval '1 minute'
        WHERE status = 'sending' AND claimed_at < now() - ${DEAD_CLAIM_SECONDS} * interval '1 second'
          AND claimed_at > now() - interval '1 minute'`;
      const [count] = await sql<{ there: number; open: number }[]>`
        SELECT count(*) FILTER (WHERE id = ANY (${accepted}::uuid[]))::int AS there,
          count(*) FILTER (WHERE status IN ('accepted', 'scheduled', 'retrying', 'sending')
            OR (outcome IS NULL AND claimed_at > now() - ${DEAD_CLAIM_SECONDS} * interval '1 second'))::int AS open
        FROM whatsapp_messages`;
      return count?.there === accepted.length && count.open === 0;
    },
    { timeoutMs, intervalMs: 500, message: 'no message to wait or to be claimed any more' },
  );
}

/** The judgement once the last callbacks have been applied; the last one of half a minute when rows and ledger do not come to agree. */
export async function judgeWhenQuiet(pipeline: Pipeline, accepted: readonly string[]): Promise<Judgement> {
  let last = await judgeNow(pipeline, accepted);
  const agrees = async () => {
    last = await judgeNow(pipeline, accepted);
    return last.disagreeing.length === 0 && last.unknownCreated === 0;
  };
  await waitFor(agrees, { timeoutMs: 30_000, intervalMs: 1_000 }).catch(() => undefined);
  return last;
}

async function judgeNow(pipeline: Pipeline, accepted: readonly string[]): Promise<Judgement> {
  const rows = await pipeline.db.sql<JudgedRow[]>`
    SELECT id, status, message_sid AS "messageSid", error_code AS "errorCode" FROM whatsapp_messages`;
  return judgeMessages(accepted, rows, await pipeline.ledger());
}
