import type postgres from 'postgres';
import { inStatement, inTransaction, type Database } from '../database.ts';
import { WALK_START, type WalkCursor } from './retained.ts';
import type { Throttle } from './throttle.ts';
import { NIL_ID } from '../nil-id.ts';

const PAGE_ROWS = 2_000;

/** A walk from the beginning once a day finds what was not finished when the walk came by. */
const FULL_WALK_SECONDS = 86_400;

/** What Twilio did about the text of one message. `refused` (of this message) and `failed` (nothing is known): it is asked again another day. */
export type TwilioRedaction = 'redacted' | 'gone' | 'refused' | 'failed';

export interface RedactDeps {
  db: Pick<Database, 'sql'>;
  throttle: Throttle;
  isOver: () => boolean;
  /** Removes the text of a message at Twilio as well. Before ours, so that one that fails is found again. */
  redactAtTwilio?: ((messageSid: string) => Promise<TwilioRedaction>) | undefined;
}

export interface Redacted {
  messages: number;
  inbound: number;
  /** At Twilio. */
  atTwilio: number;
  /** That Twilio did not redact; ours are kept as well until it does. */
  failedAtTwilio: number;
}

/**
 * Sets the contents of messages to null that Twilio has, or that ended, so many days ago, and those of inbound messages as old. Neither a status nor
 * a time changes. What still waits for its sending, is `held` or `unknown` keeps its content.
 *
 * Goes on where the last walk ended. Safe to repeat.
 */
export async function redactBodies(deps: RedactDeps, { olderThanDays }: { olderThanDays: number }): Promise<Redacted> {
  const total = { messages: 0, inbound: 0, atTwilio: 0, failedAtTwilio: 0 };
  for (const content of CONTENTS) {
    const walk = await readWalk(deps.db, content.stateKey);
    for (let ended = false; !ended && !deps.isOver();) {
      const after = walk.cursor;
      const page = await deps.throttle(() => inStatement(deps.db.sql, (sql) => content.find(sql, { after, olderThanDays })));
      const { keys, last } = await redactOutside(deps, page, total);
      if (keys.length > 0) total[content.counts] += await deps.throttle(() => inTransaction(deps.db.sql, (tx) => content.redact(tx, keys)));
      if (last !== undefined) walk.cursor = { at: last.at, key: last.key };
      await noteWalk(deps.db, content.stateKey, walk);
      ended = page.length < PAGE_ROWS || last !== page.at(-1);
    }
  }
  return total;
}

/** Counts the rows whose content {@link redactBodies} would remove now, those included that it would come to by tomorrow. Changes nothing. */
export async function countRedactable(
  db: Pick<Database, 'sql'>,
  { olderThanDays, isOver }: { olderThanDays: number; isOver: () => boolean },
): Promise<Pick<Redacted, 'messages' | 'inbound'>> {
  const counts = { messages: 0, inbound: 0 };
  for (const content of CONTENTS) {
    for (let after = WALK_START, last = false; !last && !isOver();) {
      const from = after;
      const page = await inStatement(db.sql, (sql) => content.find(sql, { after: from, olderThanDays }));
      counts[content.counts] += page.filter(({ redactable }) => redactable).length;
      after = page.at(-1) ?? after;
      last = page.length < PAGE_ROWS;
    }
  }
  return counts;
}

interface ContentRow {
  key: string;
  at: string;
  sid: string | null;
  redactable: boolean;
}

/** Three failures in a row are not of single messages: Twilio is away, or our key may not do this. */
const FAILURES_MAX = 3;

/** @returns the keys of rows whose content may go here, and the last row that was decided about: not the page's when it was cut short */
async function redactOutside(
  { redactAtTwilio, isOver }: RedactDeps,
  page: readonly ContentRow[],
  total: Redacted,
): Promise<{ keys: string[]; last: ContentRow | undefined }> {
  if (redactAtTwilio === undefined) return { keys: page.filter(({ redactable }) => redactable).map(({ key }) => key), last: page.at(-1) };
  const keys: string[] = [];
  let last: ContentRow | undefined;
  let failures = 0;
  for (const row of page) {
    if (isOver() || failures >= FAILURES_MAX) break;
    if (row.redactable) {
      const answer = row.sid === null ? 'gone' : await redactAtTwilio(row.sid);
      failures = answer === 'failed' ? failures + 1 : 0;
      if (answer === 'failed' || answer === 'refused') total.failedAtTwilio += 1;
      else keys.push(row.key);
      if (answer === 'redacted') total.atTwilio += 1;
    }
    last = row;
  }
  return { keys, last };
}

interface Content {
  stateKey: string;
  counts: 'messages' | 'inbound';
  find(sql: postgres.ISql, query: { after: WalkCursor; olderThanDays: number }): Promise<ContentRow[]>;
  redact(tx: postgres.ISql, keys: readonly string[]): Promise<number>;
}

const CONTENTS: readonly Content[] = [
  {
    stateKey: 'redacted_messages',
    counts: 'messages',
    find: (sql, { after, olderThanDays }) => sql`
      SELECT m.id::text AS key, m.created_at::text AS at, m.message_sid AS sid,
        -- From its last sending on: a message may have waited for weeks.
        m.rank > 0 AND GREATEST(m.created_at, m.send_at, m.claimed_at, m.ended_at) < now() - ${olderThanDays} * interval '1 day'
          AND (m.body IS NOT NULL OR m.content_variables IS NOT NULL OR m.media_url IS NOT NULL) AS redactable
      FROM whatsapp_messages m
      WHERE (m.created_at, m.id) > (${after.at}::text::timestamptz, ${after.key || NIL_ID}::uuid)
        AND m.created_at < now() - ${olderThanDays} * interval '1 day'
      ORDER BY m.created_at, m.id LIMIT ${PAGE_ROWS}`,
    async redact(tx, keys) {
      const { count } = await tx`
        WITH locked AS MATERIALIZED (
          SELECT id FROM whatsapp_messages WHERE id = ANY (${[...keys]}::uuid[]) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE whatsapp_messages m SET body = NULL, content_variables = NULL, media_url = NULL, content_key_id = NULL,
          redacted_at = now()
        FROM locked WHERE m.id = locked.id AND m.rank > 0`;
      return count;
    },
  },
  {
    stateKey: 'redacted_inbound',
    counts: 'inbound',
    find: (sql, { after, olderThanDays }) => sql`
      SELECT i.message_sid AS key, i.received_at::text AS at, i.message_sid AS sid,
        i.handed_over_at IS NOT NULL AND (COALESCE(i.body, i.button_text, i.button_payload, i.profile_name) IS NOT NULL OR i.media <> '[]' OR i.details <> '{}') AS redactable
      FROM inbound_messages i
      WHERE (i.received_at, i.message_sid) > (${after.at}::text::timestamptz, ${after.key})
        AND i.received_at < now() - ${olderThanDays} * interval '1 day'
      ORDER BY i.received_at, i.message_sid LIMIT ${PAGE_ROWS}`,
    async redact(tx, keys) {
      const { count } = await tx`
        WITH locked AS MATERIALIZED (
          SELECT message_sid FROM inbound_messages WHERE message_sid = ANY (${[...keys]}::text[]) ORDER BY message_sid
          FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE inbound_messages i SET body = NULL, media = '[]', button_text = NULL, button_payload = NULL, content_key_id = NULL,
          profile_name = NULL, details = '{}'
        FROM locked WHERE i.message_sid = locked.message_sid`;
      return count;
    },
  },
];

interface Walk {
  cursor: WalkCursor;
  /** When it began at the beginning, in seconds. */
  since: number;
}

async function readWalk(db: Pick<Database, 'sql'>, key: string): Promise<Walk> {
  const [row] = await inStatement(
    db.sql,
    (sql) => sql<{ value: string | null; now: number }[]>`
      SELECT (SELECT value FROM system_state WHERE key = ${key}), extract(epoch FROM now())::float8 AS now`,
  );
  const now = row?.now ?? 0;
  const walk = row?.value ? (JSON.parse(row.value) as Walk) : null;
  return walk === null || now - walk.since > FULL_WALK_SECONDS ? { cursor: WALK_START, since: now } : walk;
}

async function noteWalk(db: Pick<Database, 'sql'>, key: string, walk: Walk): Promise<void> {
  await inStatement(
    db.sql,
    (sql) => sql`
      INSERT INTO system_state (key, value) VALUES (${key}, ${JSON.stringify(walk)})
      ON CONFLICT (key) DO UPDATE SET value = excluded.value, updated_at = now()`,
  );
}
