import { MESSAGE_STATUSES } from '@tickmark/domain';
import type postgres from 'postgres';

/** What the generated rows are about. The same values give the same rows, whatever server and in whatever pieces they are made. */
export interface Generated {
  messages: number;
  /** How far back the oldest message lies. */
  days: number;
  /** When the newest one was accepted. */
  until: Date;
  seed: number;
}

/** As shares of all messages. Twilio's own words count only as far as their order matters here. */
const SENDERS = [
  { alias: 'news', address: 'whatsapp:+14155550101', upTo: 0.5, priority: 'bulk', category: 'marketing' },
  { alias: 'shop', address: 'whatsapp:+14155550102', upTo: 0.85, priority: 'transactional', category: 'utility' },
  { alias: 'support', address: 'whatsapp:+14155550103', upTo: 0.95, priority: 'transactional', category: null },
  { alias: 'alerts', address: 'whatsapp:+14155550104', upTo: 1, priority: 'transactional', category: 'utility' },
] as const;

/** Where old messages ended: the status up to which share of them. */
const ENDINGS = [
  ['read', 0.56],
  ['delivered', 0.87],
  ['sent', 0.9],
  ['failed', 0.935],
  ['undelivered', 0.975],
  ['suppressed', 0.988],
  ['expired', 0.993],
  ['canceled', 0.998],
  ['held', 0.9985],
  ['unknown', 1],
] as const;

/** The newest ones are still on their way. */
const BEGINNINGS = [
  ['accepted', 0.25],
  ['scheduled', 0.35],
  ['retrying', 0.4],
  ['sending', 0.5],
  ['queued', 0.6],
  ['sent', 0.75],
  ['delivered', 0.9],
  ['read', 1],
] as const;

/** A person has eight messages on average, a few persons have very many. */
const MESSAGES_PER_PERSON = 8;
/** Those that are still on their way: a hundredth of a small table, and never more than these. */
const NEW_MAX = 5_000;
/** The hours of the day differ by 1 to 4. */
const RHYTHM = 0.6;
const CAMPAIGNS_PER_DAY = 3;
const BODY =
  'Thank you for your message. We have looked at what you ordered and can tell you that it has left our house today. You will hear from us again as soon as it is on its way to your door. Reference ';

const upTo = (draw: string, choices: readonly (readonly [string, number])[]): string =>
  `CASE ${choices.map(([value, share]) => `WHEN ${draw} < ${share} THEN '${value}'`).join(' ')} END`;
const bySender = (read: (sender: (typeof SENDERS)[number]) => string | null): string =>
  `CASE ${SENDERS.map((sender) => `WHEN s < ${sender.upTo} THEN ${quote(read(sender))}`).join(' ')} END`;
const quote = (value: string | null): string => (value === null ? 'NULL' : `'${value}'`);
const RANKS = `CASE status ${Object.entries(MESSAGE_STATUSES)
  .map(([status, { rank }]) => `WHEN '${status}' THEN ${rank}`)
  .join(' ')} END`;

/** What every session needs that makes rows: draws that depend on the number of the message alone, and the two keys of each message. */
export async function prepareSession(sql: postgres.Sql, { messages, days, until, seed }: Generated): Promise<void> {
  // One expression each, without FROM and no more stable than it is: only such functions become part of the statement. Called, they took most of the time.
  const at = `(i::float8 / ${messages} * ${days})`;
  await sql.unsafe(`
    SET synchronous_commit = off;
    CREATE FUNCTION pg_temp.draw(i bigint, which int) RETURNS float8 LANGUAGE sql IMMUTABLE AS
      $$ SELECT (hashint8extended(i, ${seed}::bigint * 1000 + which) & 4294967295)::float8 / 4294967296 $$;
    CREATE FUNCTION pg_temp.hex(i bigint, which int) RETURNS text LANGUAGE sql IMMUTABLE AS
      $$ SELECT md5(i::text || ' ' || which::text || ' ${seed}') $$;
    CREATE FUNCTION pg_temp.created(i bigint) RETURNS timestamptz LANGUAGE sql STABLE AS
      $$ SELECT date_trunc('milliseconds', '${until.toISOString()}'::timestamptz + interval '1 day' *
        (${at} + ${RHYTHM} * sin(2 * pi() * ${at}) / (2 * pi()) - ${days})) $$;
    -- Seven of ten have an id that follows time, the others one of an idempotency key.
    CREATE FUNCTION pg_temp.id(i bigint) RETURNS uuid LANGUAGE sql STABLE AS
      $$ SELECT (CASE WHEN pg_temp.draw(i, 1) < 0.7
        THEN lpad(to_hex((date_part('epoch', pg_temp.created(i)) * 1000)::bigint), 12, '0') || overlay('7' || substr(pg_temp.hex(i, 1), 1, 19) placing '8' from 5)
        ELSE overlay(overlay(pg_temp.hex(i, 1) placing '5' from 13) placing 'a' from 17) END)::uuid $$;
    CREATE FUNCTION pg_temp.person(i bigint, which int) RETURNS text LANGUAGE sql IMMUTABLE AS
      $$ SELECT 'whatsapp:+1555' || lpad(floor(${Math.ceil(messages / MESSAGES_PER_PERSON)} * power(pg_temp.draw(i, which), 1.5))::int::text, 7, '0') $$;`);
}

/** Adds the messages of these numbers, oldest first; `to` is the first one that is left out. */
export async function insertMessages(sql: postgres.Sql, { messages }: Generated, from: number, to: number): Promise<void> {
  const newest = messages - Math.min(NEW_MAX, Math.floor(messages / 100));
  await sql.unsafe(`
    INSERT INTO whatsapp_messages (id, origin, producer, request_hash, retry_of, sender, sender_address, recipient, body, content_sid,
      content_variables, content_sha256, priority, category, campaign, metadata, expires_at, status, rank, error_code, due_at, message_sid, sid_source, attempts,
      claim_token, claimed_at, outcome, ended_at, http_status, request_id, accepted_at, created_at, updated_at, queued_at, sent_at, delivered_at, read_at, failed_at)
    SELECT id, CASE WHEN is_retry THEN 'retry' ELSE 'api' END, ${bySender(({ alias }) => `${alias}-service`)},
      decode(pg_temp.hex(i, 2) || pg_temp.hex(i, 3), 'hex'),
      -- Of the message that was sent a while before, so that no two retries have the same one.
      CASE WHEN is_retry THEN pg_temp.id(i - 1000) END,
      ${bySender(({ alias }) => alias)}, ${bySender(({ address }) => address)}, pg_temp.person(i, 3), body,
      CASE WHEN body IS NULL THEN 'HX' || md5('template ' || floor(10 * pg_temp.draw(i, 4))) END,
      CASE WHEN body IS NULL THEN '{"1":"' || substr(pg_temp.hex(i, 5), 1, 10) || '","2":"' || i || '"}' END,
      CASE WHEN body IS NOT NULL THEN sha256(convert_to(body, 'UTF8')) END,
      ${bySender(({ priority }) => priority)}, ${bySender(({ category }) => category)},
      CASE WHEN s < 0.5 THEN 'campaign-' || floor(date_part('epoch', created_at) / 86400 * ${CAMPAIGNS_PER_DAY})::int END,
      CASE WHEN pg_temp.draw(i, 6) < 0.3 THEN jsonb_build_object('order', i::text) END,
      CASE WHEN status = 'expired' THEN created_at + interval '1 hour' WHEN rank = 0 AND i % 2 = 0 THEN created_at + interval '10 days' END,
      status, rank,
      CASE status
        WHEN 'failed' THEN (ARRAY[63016, 63016, 63016, 63024, 63013, 21211])[1 + floor(6 * pg_temp.draw(i, 7))::int]
        WHEN 'undelivered' THEN (ARRAY[63049, 63049, 63024, 63032, 30008])[1 + floor(5 * pg_temp.draw(i, 7))::int]
        WHEN 'held' THEN 63018 WHEN 'retrying' THEN 20429 END,
      CASE WHEN status IN ('accepted', 'retrying') THEN created_at + interval '30 seconds' WHEN status = 'scheduled' THEN created_at + interval '1 day'
        ELSE created_at END,
      CASE WHEN has_sid THEN 'SM' || pg_temp.hex(i, 8) END, CASE WHEN has_sid THEN 'record' END, attempts,
      CASE WHEN attempts > 0 THEN pg_temp.hex(i, 9)::uuid END, CASE WHEN attempts > 0 THEN claimed_at END,
      CASE WHEN has_sid THEN 'accepted' WHEN status IN ('failed', 'held') THEN 'rejected' WHEN status = 'unknown' THEN 'unknown' WHEN status = 'retrying' THEN 'throttled' END,
      CASE WHEN attempts > 0 AND status <> 'sending' THEN ended_at END,
      CASE WHEN has_sid THEN 201 WHEN status = 'retrying' THEN 429 WHEN status IN ('failed', 'held') THEN 400 END,
      CASE WHEN attempts > 0 AND status NOT IN ('sending', 'unknown') THEN 'RQ' || pg_temp.hex(i, 10) END,
      CASE WHEN NOT is_retry THEN created_at - interval '20 milliseconds' END, created_at,
      CASE WHEN rank >= 70 THEN read_at WHEN rank >= 60 THEN delivered_at WHEN rank >= 40 THEN sent_at ELSE ended_at END,
      CASE WHEN has_sid THEN ended_at END,
      CASE WHEN rank IN (40, 60, 70) OR status = 'undelivered' THEN sent_at END,
      CASE WHEN rank >= 60 THEN delivered_at END, CASE WHEN rank >= 70 THEN read_at END,
      CASE WHEN status IN ('failed', 'undelivered') THEN sent_at END
    FROM (
      -- Each level uses the columns of the one below; OFFSET keeps them apart, so that no expression is worked out again for each of its uses.
      SELECT *, delivered_at + make_interval(secs => 5 * exp(7 * pg_temp.draw(i, 18))) AS read_at FROM (
      SELECT *, sent_at + make_interval(secs => 0.5 + 2 * exp(2 * pg_temp.draw(i, 16) + 4 * pg_temp.draw(i, 17) ^ 6)) AS delivered_at FROM (
      SELECT *, ended_at + make_interval(secs => 0.4 - 3 * ln(1 - pg_temp.draw(i, 11))) AS sent_at FROM (
      SELECT *, claimed_at + make_interval(secs => 0.1 + 0.4 * pg_temp.draw(i, 12)) AS ended_at,
        rank IN (20, 40, 60, 70) OR status = 'undelivered' OR (status = 'failed' AND pg_temp.draw(i, 7) < 0.75) AS has_sid,
        CASE WHEN status IN ('accepted', 'scheduled', 'suppressed', 'expired', 'canceled') THEN 0
          WHEN status NOT IN ('sending', 'retrying') AND i % 50 = 0 THEN 2 ELSE 1 END AS attempts,
        CASE WHEN s >= 0.85 AND s < 0.95 THEN '${BODY}' || pg_temp.hex(i, 13) WHEN pg_temp.draw(i, 4) < 0.2 THEN '${BODY}' || i END AS body FROM (
      SELECT *, ${RANKS} AS rank, created_at + make_interval(secs => 0.05 + pg_temp.draw(i, 15)) AS claimed_at FROM (
      SELECT i, pg_temp.id(i) AS id, pg_temp.created(i) AS created_at, pg_temp.draw(i, 2) AS s, i > 1000 AND i % 200 = 7 AS is_retry,
        CASE WHEN i < ${newest} THEN ${upTo('pg_temp.draw(i, 14)', ENDINGS)} ELSE ${upTo('pg_temp.draw(i, 14)', BEGINNINGS)} END AS status
      FROM generate_series(${from}::bigint, ${to - 1}) AS i
      OFFSET 0) AS drawn OFFSET 0) AS ranked OFFSET 0) AS called OFFSET 0) AS sent OFFSET 0) AS delivered OFFSET 0) AS seen`);
}

/** Adds what Twilio told of the messages in these pages of their table: 3 lines for each, in the order of the messages. */
export async function insertLogs(sql: postgres.Sql, fromPage: number, toPage: number): Promise<void> {
  await sql.unsafe(`
    INSERT INTO message_status_logs (message_sid, status, error_code, message_id, attempt, source, channel_status_message, received_at, created_at)
    SELECT message_sid, told, CASE WHEN told IN ('failed', 'undelivered') THEN error_code END, id, attempts, CASE WHEN at = sent_at AND attempts = 2 THEN 'poll' ELSE 'callback' END,
      CASE WHEN told = 'undelivered' THEN 'Message undeliverable' END, at, at + interval '40 milliseconds'
    FROM whatsapp_messages,
      LATERAL (VALUES ('queued', CASE WHEN substr(message_sid, 3, 1) < 'a' THEN queued_at END), ('sent', sent_at), ('delivered', delivered_at), ('read', read_at),
        (CASE WHEN status IN ('failed', 'undelivered') THEN status END, failed_at)) AS line (told, at)
    WHERE ctid >= '(${fromPage},0)' AND ctid < '(${toPage},0)' AND message_sid IS NOT NULL AND at IS NOT NULL AND told IS NOT NULL`);
}

/** Adds the rows of the tables around the messages. */
export async function insertCompanions(sql: postgres.Sql, { messages, days, until }: Generated): Promise<void> {
  await sql`INSERT INTO senders (alias, address, mps)
    SELECT *, 80 FROM unnest(${SENDERS.map(({ alias }) => alias)}::text[], ${SENDERS.map(({ address }) => address)}::text[]) ON CONFLICT DO NOTHING`;
  await sql.unsafe(`
    INSERT INTO message_attempts (message_id, attempt, claim_token, claimed_at, ended_at, outcome, error_code, http_status, request_id)
      SELECT id, 1, gen_random_uuid(), claimed_at - interval '1 minute', claimed_at - interval '59 seconds', 'throttled', 20429, 429, 'RQ' || md5(id::text)
      FROM whatsapp_messages WHERE attempts = 2;
    INSERT INTO inbound_messages (message_sid, from_address, to_address, body, received_at, created_at, handed_over_at)
      SELECT 'SM' || pg_temp.hex(i, 20), pg_temp.person(i, 21), '${SENDERS[2].address}', 'Where is my order ' || i || '?', at, at, at
      FROM generate_series(0, ${Math.floor(messages / 10)}::bigint) AS i,
        LATERAL (SELECT '${until.toISOString()}'::timestamptz - make_interval(secs => ${days * 86_400} * pg_temp.draw(i, 22)) AS at) AS time;
    INSERT INTO customer_service_windows (sender_address, recipient, first_inbound_at, last_inbound_at)
      SELECT to_address, from_address, min(received_at), max(received_at) FROM inbound_messages GROUP BY 1, 2 ON CONFLICT DO NOTHING;
    INSERT INTO suppressions (sender_address, recipient, suppressed, event_at, source)
      SELECT '${SENDERS[0].address}', recipient, true, min(created_at), 'inbound' FROM whatsapp_messages WHERE status = 'suppressed' GROUP BY 2 ON CONFLICT DO NOTHING;`);
}
