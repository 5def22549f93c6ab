import { migrateDatabase } from '@tickmark/delivery';
import postgres from 'postgres';
import { SENDER, type SentMessage } from './make-callbacks.ts';

/** An empty database becomes one whose messages Twilio has taken, each with its sid, and that has heard of none of them since. */
export async function seedMessages(url: string, messages: readonly SentMessage[]): Promise<void> {
  await migrateDatabase({ url });
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  await insertSentMessages(sql, messages);
  // What years of use would have done: plans that know the tables, pages whose rows are known to be committed.
  await sql`VACUUM (ANALYZE) whatsapp_messages`;
  await sql.end();
}

/** Messages that Twilio has taken a moment ago. */
export async function insertSentMessages(sql: postgres.Sql, messages: readonly SentMessage[]): Promise<void> {
  await sql`
    INSERT INTO whatsapp_messages (id, producer, request_hash, sender, sender_address, recipient, content_sid, priority, status, rank,
      message_sid, sid_source, attempts, claim_token, claimed_at, outcome, ended_at, http_status, accepted_at, queued_at)
    SELECT id, 'bench', sha256(id::text::bytea), 'bench', ${SENDER}, recipient, ${`HX${'1'.repeat(32)}`}, 'bulk', 'queued', 20,
      sid, 'record', 1, gen_random_uuid(), now(), 'accepted', now(), 201, now(), now()
    FROM unnest(${messages.map(({ id }) => id)}::uuid[], ${messages.map(({ sid }) => sid)}::text[],
      ${messages.map(({ recipient }) => recipient)}::text[]) AS m (id, sid, recipient)`;
}
