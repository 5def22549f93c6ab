import { externalMessageId } from '@tickmark/domain';
import type postgres from 'postgres';
import { inStatement, inTransaction, type Database } from '../database.ts';
import { forgetPhone } from '../refresh-phone-performance.ts';
import { writeAudit } from '../write-audit.ts';
import type { Person } from './person.ts';
import { repeatAfterRace } from './repeat-after-race.ts';
import { deleteMessages } from './retained-messages.ts';

const BATCH_ROWS = 500;

type Db = Pick<Database, 'sql'>;

export interface PersonRows {
  /** Messages to the person. */
  messages: number;
  /** Of those: waiting or held, which an erasure cancels. */
  waiting: number;
  /** Of those: claimed; a call may be under way. */
  sending: number;
  /** Of those: nobody knows whether Twilio has them. */
  unknown: number;
  inbound: number;
  windows: number;
  suppressions: number;
}

/** Counts what is stored about a person under the person's address. Changes nothing. */
export async function findPerson(db: Db, { addresses }: Person): Promise<PersonRows> {
  const given = [...addresses];
  const [row] = await inStatement(
    db.sql,
    (sql) => sql<PersonRows[]>`
      SELECT count(*)::int AS messages,
        count(*) FILTER (WHERE status IN ('accepted', 'scheduled', 'retrying', 'held'))::int AS waiting,
        count(*) FILTER (WHERE status = 'sending')::int AS sending, count(*) FILTER (WHERE status = 'unknown')::int AS unknown,
        (SELECT count(*) FROM inbound_messages WHERE from_address = ANY (${given}::text[]))::int AS inbound,
        (SELECT count(*) FROM customer_service_windows WHERE recipient = ANY (${given}::text[]))::int AS windows,
        (SELECT count(*) FROM suppressions WHERE recipient = ANY (${given}::text[]))::int AS suppressions
      FROM whatsapp_messages WHERE recipient = ANY (${given}::text[])`,
  );
  return row ?? { messages: 0, waiting: 0, sending: 0, unknown: 0, inbound: 0, windows: 0, suppressions: 0 };
}

/** Cancels every message to the person that was not sent yet. Safe to repeat. */
export async function cancelForPerson(db: Db, { addresses }: Person): Promise<number> {
  const { count } = await inStatement(
    db.sql,
    (sql) => sql`
      WITH locked AS MATERIALIZED (
        SELECT id FROM whatsapp_messages WHERE recipient = ANY (${[...addresses]}::text[]) AND rank = 0 ORDER BY id FOR NO KEY UPDATE
      )
      UPDATE whatsapp_messages m SET status = 'canceled', rank = 50, updated_at = now()
      FROM locked WHERE m.id = locked.id AND m.status IN ('accepted', 'scheduled', 'retrying', 'held') AND m.message_sid IS NULL`,
  );
  return count;
}

export type ErasedRows = Pick<PersonRows, 'messages' | 'inbound' | 'windows' | 'suppressions'>;

/**
 * Deletes what is stored under a person's address; ids stay as tombstones, under which a late callback finds nothing. What is claimed or `unknown`
 * stays. Safe to repeat.
 */
export async function erasePersonRows(db: Db, person: Person, signal?: AbortSignal): Promise<ErasedRows> {
  const given = [...person.addresses];
  const inTurn = <R>(run: (tx: postgres.ISql) => Promise<R>) => repeatAfterRace(() => inTransaction(db.sql, run));
  let messages = 0;
  for (let erased = -1; erased !== 0; messages += erased) {
    signal?.throwIfAborted();
    erased = await inTurn((tx) => eraseMessages(tx, given));
  }
  return inTurn(async (tx) => {
    const inbound = await tx`DELETE FROM inbound_messages WHERE from_address = ANY (${given}::text[])`;
    const windows = await tx`DELETE FROM customer_service_windows WHERE recipient = ANY (${given}::text[])`;
    const suppressions = await tx`DELETE FROM suppressions WHERE recipient = ANY (${given}::text[])`;
    for (const address of given) await forgetPhone(tx, address);
    return { messages, inbound: inbound.count, windows: windows.count, suppressions: suppressions.count };
  });
}

async function eraseMessages(tx: postgres.ISql, addresses: string[]): Promise<number> {
  const rows = await tx<{ id: string }[]>`
    SELECT id FROM whatsapp_messages
    WHERE id = ANY (ARRAY (
      SELECT id FROM whatsapp_messages WHERE recipient = ANY (${addresses}::text[]) AND rank > 0 ORDER BY created_at LIMIT ${BATCH_ROWS}
    )) AND rank > 0
    ORDER BY id FOR UPDATE`;
  const sids = await deleteMessages(
    tx,
    rows.map(({ id }) => id),
  );
  // Twilio's list, or a callback without our id, would bring a message back as somebody else's.
  await tx`
    INSERT INTO message_tombstones (message_id) SELECT DISTINCT unnest(${sids.map(externalMessageId)}::uuid[])
    ON CONFLICT (message_id) DO UPDATE SET deleted_at = now()`;
  return rows.length;
}

/** Sids of the messages from and to a person that Twilio may have, by pages. */
export async function* listSids(db: Db, { addresses }: Person): AsyncGenerator<string[]> {
  const given = [...addresses];
  for (let after = ''; ;) {
    const from = after;
    const rows = await inStatement(
      db.sql,
      (sql) => sql<{ sid: string }[]>`
        SELECT sid FROM (
          SELECT message_sid AS sid FROM whatsapp_messages WHERE recipient = ANY (${given}::text[]) AND message_sid IS NOT NULL
          UNION SELECT message_sid FROM inbound_messages WHERE from_address = ANY (${given}::text[])
        ) s WHERE sid > ${from} ORDER BY sid LIMIT ${BATCH_ROWS}`,
    );
    const sids = rows.map(({ sid }) => sid);
    if (sids.length > 0) yield sids;
    if (sids.length < BATCH_ROWS) return;
    after = sids.at(-1) ?? after;
  }
}

/** Whether the person is one of our own senders, whose address cannot be erased. */
export async function isOwnSender(db: Db, { addresses }: Person): Promise<boolean> {
  const rows = await inStatement(db.sql, (sql) => sql`SELECT FROM senders WHERE address = ANY (${[...addresses]}::text[])`);
  return rows.length > 0;
}

/** Says that a person was erased, without saying who. */
export async function auditErasure(
  db: Db,
  { actor, reason, details }: { actor: string; reason: string; details: Record<string, number> },
): Promise<void> {
  await inTransaction(db.sql, (tx) => writeAudit(tx, [{ actor, action: 'person_erased', messageId: null, reason, details }]));
}
