import { inStatement, type Database } from './database.ts';

/** An attempt that is due for a look at Twilio's list. */
export interface DueUnknown {
  id: string;
  attempt: number;
  claimedAt: Date;
  /** Looks so far. */
  looks: number;
}

/** Everything unknown that went from one sender to one person, and is due: one list tells of all of it. */
export interface UnknownPair {
  /** Alias; null when the address is none of our senders. */
  sender: string | null;
  senderAddress: string;
  recipient: string;
  attempts: DueUnknown[];
}

export interface FindUnknownOptions {
  /** At which ages (after the claim) an attempt is looked for, one look each. */
  lookAgesSeconds: readonly number[];
  /** Time between two looks at least, also after one that failed: two of them must not be one and the same proof. */
  pauseSeconds: number;
  /** Attempts at most, the oldest first; the rest comes with the next call. */
  limit: number;
}

/** The attempts whose outcome is unknown and that are due for a look, by sender and recipient. */
export async function findUnknown(db: Pick<Database, 'sql'>, options: FindUnknownOptions): Promise<UnknownPair[]> {
  const { lookAgesSeconds, pauseSeconds, limit } = options;
  const rows = await inStatement(
    db.sql,
    (sql) => sql<(DueUnknown & Omit<UnknownPair, 'attempts'>)[]>`
      SELECT m.id, m.attempts AS attempt, m.claimed_at AS "claimedAt", COALESCE(s.looks, 0) AS looks, m.sender,
        m.sender_address AS "senderAddress", m.recipient
      FROM whatsapp_messages m LEFT JOIN outcome_searches s ON s.message_id = m.id AND s.attempt = m.attempts
      WHERE m.open_status IN ('unknown') AND m.message_sid IS NULL AND m.sender_address IS NOT NULL AND m.recipient IS NOT NULL
        -- Null, hence not due, after the last look.
        AND m.claimed_at < now() - (${[...lookAgesSeconds]}::int[])[COALESCE(s.looks, 0) + 1] * interval '1 second'
        AND (s.looked_at IS NULL OR s.looked_at < now() - ${pauseSeconds} * interval '1 second')
      ORDER BY m.claimed_at, m.id
      LIMIT ${limit}`,
  );
  const pairs = new Map<string, UnknownPair>();
  for (const { sender, senderAddress, recipient, ...attempt } of rows) {
    const key = `${senderAddress} ${recipient}`;
    const pair = pairs.get(key) ?? { sender, senderAddress, recipient, attempts: [] };
    pair.attempts.push(attempt);
    pairs.set(key, pair);
  }
  return [...pairs.values()];
}
