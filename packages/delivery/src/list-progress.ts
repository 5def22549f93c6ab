import { inStatement, type Database } from './database.ts';

/** How far Twilio's list of one sender was read. */
export interface ListProgress {
  /** Everything sent before this was read. */
  until: Date;
  /** The reading that is under way ends here. */
  target: Date;
}

export interface ListProgressOptions {
  sender: string;
  /** How old what is read has to be: by then its receipts have had their time. */
  delaySeconds: number;
  /** A new reading begins so long after the last one. */
  everySeconds: number;
}

const keyOf = (sender: string) => `receipts_listed ${sender}`;

/**
 * How far the list of a sender was read, and how far it is to be read now: the same = nothing is to be read. Of a sender that is new here nothing
 * is read but what it sends from now on.
 */
export async function readListProgress(
  db: Pick<Database, 'sql'>,
  { sender, delaySeconds, everySeconds }: ListProgressOptions,
): Promise<ListProgress> {
  const rows = await inStatement(
    db.sql,
    (sql) => sql<{ value: string | null; end: Date }[]>`
      SELECT (SELECT value FROM system_state WHERE key = ${keyOf(sender)}), date_trunc('second', now() - ${delaySeconds} * interval '1 second') AS "end"`,
  );
  const end = rows[0]?.end ?? new Date(0);
  const [until, target] = rows[0]?.value?.split(' ').map((text) => new Date(text)) ?? [];
  const everyMs = everySeconds * 1_000;
  if (until === undefined || target === undefined) {
    await noteListProgress(db, sender, { until: end, target: end });
    return { until: end, target: end };
  }
  const isOver = until >= target;
  return { until, target: isOver && end.getTime() - target.getTime() >= everyMs ? end : target };
}

/** Notes how far the list of a sender was read. Safe to repeat. */
export async function noteListProgress(db: Pick<Database, 'sql'>, sender: string, { until, target }: ListProgress): Promise<void> {
  await inStatement(
    db.sql,
    (sql) => sql`
      INSERT INTO system_state (key, value) VALUES (${keyOf(sender)}, ${`${until.toISOString()} ${target.toISOString()}`})
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()`,
  );
}
