import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MESSAGE_STATUSES, type MessageStatus } from '@tickmark/domain';
import { captureLogger, randomSid, statusEvent, testFolder } from '@tickmark/testing';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { applyStatuses } from '../apply-statuses.ts';
import { createArchive, type Archive } from '../archive/archive.ts';
import { deliveryRoom, valuesOf } from '../fixtures/delivery-room.ts';
import { insertInbound } from '../fixtures/old-rows.ts';
import { withAdvisoryLock } from '../with-advisory-lock.ts';
import { restoreArchive } from './restore-archive.ts';
import { cleanupOldMessages, RETENTION_LOCK, type CleanupDeps } from './cleanup-old-messages.ts';

const room = deliveryRoom();
const PERIODS = { bodyDays: 30, rowDays: 365, pauseRatio: 0 };

beforeEach(async () => {
  await room.db.sql`TRUNCATE whatsapp_messages, message_status_logs, inbound_messages, audit_log, system_state`.simple();
});

const folder = testFolder('archives');
// Archives hold what the search for leaks finds.
afterAll(() => rmSync(folder, { recursive: true }));

function newArchive(): Archive {
  return createArchive({ dir: join(folder, randomUUID()) });
}

function depsWith(archive: Archive | null, more: Partial<CleanupDeps> = {}): CleanupDeps {
  return { db: room.db, archive, log: captureLogger().log, ...more };
}

/** A message in a status, last changed so many days ago. */
async function aged(status: MessageStatus, days: number): Promise<string> {
  const { id } = await room.insert();
  const { rank } = MESSAGE_STATUSES[status];
  const sid = rank >= 20 && status !== 'expired' && status !== 'suppressed' ? randomSid() : null;
  await room.db.sql`
    UPDATE whatsapp_messages SET status = ${status}, rank = ${rank}, message_sid = ${sid}, sid_source = ${sid && 'record'},
      attempts = 1, claim_token = ${randomUUID()}, claimed_at = now() - ${days} * interval '1 day', due_at = now(),
      created_at = now() - ${days} * interval '1 day', updated_at = now() - ${days} * interval '1 day'
    WHERE id = ${id}`;
  return id;
}

const exists = async (id: string) => (await room.row(id)) !== null;

it('only final messages go, and of no other status, however old', async () => {
  const statuses = Object.keys(MESSAGE_STATUSES) as MessageStatus[];
  const old = await Promise.all(statuses.map(async (status) => ({ status, id: await aged(status, 4_000) })));
  const young = await Promise.all(statuses.map((status) => aged(status, 364)));
  const archive = newArchive();
  const result = await cleanupOldMessages(depsWith(archive), PERIODS);
  const final = statuses.filter((status) => MESSAGE_STATUSES[status].final);
  expect(result).toMatchObject({ kind: 'cleaned', rowsKept: null, rows: { message: { archived: final.length, deleted: final.length } } });
  for (const { status, id } of old) expect([status, await exists(id)]).toEqual([status, !MESSAGE_STATUSES[status].final]);
  for (const id of young) expect(await exists(id)).toBe(true);
  const tombstones = await room.db.sql`SELECT FROM message_tombstones WHERE message_id = ANY (${old.map(({ id }) => id)}::uuid[])`;
  expect(tombstones.length).toBe(final.length);
  expect(await cleanupOldMessages(depsWith(archive), PERIODS)).toMatchObject({ rows: { message: { archived: 0, deleted: 0 } } });
});

it('a message goes with everything about it, and a late callback of it brings nothing back', async () => {
  const { message, sid } = await room.sendAccepted();
  valuesOf(await applyStatuses(room.db, [statusEvent({ messageId: message.id, attempt: 1, messageSid: sid, rawStatus: 'delivered' })]));
  const older = randomSid();
  await room.db.sql`INSERT INTO message_attempts (message_id, attempt, message_sid) VALUES (${message.id}, 0, ${older})`;
  await room.db
    .sql`INSERT INTO message_status_logs (message_sid, status, message_id, source, received_at) VALUES (${older}, 'sent', ${message.id}, 'poll', now())`;
  await room.db.sql`INSERT INTO receipt_polls (message_id, due_at) VALUES (${message.id}, now())`;
  await room.db.sql`INSERT INTO audit_log (actor, action, message_id) VALUES ('ann', 'looked', ${message.id})`;
  await room.db.sql`
    UPDATE whatsapp_messages SET created_at = now() - interval '400 days', updated_at = now() - interval '400 days', delivered_at = now() - interval '400 days'
    WHERE id = ${message.id}`;
  const archive = newArchive();
  expect(await cleanupOldMessages(depsWith(archive), PERIODS)).toMatchObject({ rows: { message: { deleted: 1 } } });
  const manifest = (await archive.list()).at(0);
  const rows: Record<string, unknown[]> = {};
  for await (const record of archive.read(manifest!)) Object.assign(rows, JSON.parse(record.rows));
  expect(Object.fromEntries(Object.entries(rows).map(([table, list]) => [table, list.length]))).toEqual({
    whatsapp_messages: 1,
    message_attempts: 1,
    message_status_logs: 2,
    outcome_searches: 0,
    receipt_polls: 1,
    cancel_requests: 0,
    audit_log: 1,
  });
  for (const table of ['message_attempts', 'receipt_polls', 'audit_log', 'message_status_logs']) {
    expect((await room.db.sql`SELECT FROM ${room.db.sql(table)} WHERE message_id = ${message.id}`).length).toBe(0);
  }
  const late = statusEvent({ messageId: message.id, attempt: 1, messageSid: sid, rawStatus: 'read' });
  expect(valuesOf(await applyStatuses(room.db, [late]))[0]).toMatchObject({ kind: 'deleted', messageId: null });
  expect(await exists(message.id)).toBe(false);
});

it('what changes after it was archived stays, and goes with the next run', async () => {
  const [changed, gone] = [await aged('delivered', 500), await aged('delivered', 500)];
  const archive = newArchive();
  const meddling: Archive = {
    ...archive,
    write: async (records) => {
      const manifest = await archive.write(records);
      await room.db.sql`UPDATE whatsapp_messages SET error_code = 1 WHERE id = ${changed}`;
      return manifest;
    },
  };
  expect(await cleanupOldMessages(depsWith(meddling), PERIODS)).toMatchObject({ rows: { message: { archived: 2, deleted: 1 } } });
  expect([await exists(changed), await exists(gone)]).toEqual([true, false]);
  expect(await cleanupOldMessages(depsWith(archive), PERIODS)).toMatchObject({ rows: { message: { archived: 1, deleted: 1 } } });
});

it('nothing is deleted by a file that is not what was written', async () => {
  const id = await aged('failed', 500);
  const archive = newArchive();
  const damaging: Archive = {
    ...archive,
    write: async (records) => {
      const manifest = await archive.write(records);
      damage(join(archive.dir, manifest!.file));
      return manifest;
    },
  };
  await expect(cleanupOldMessages(depsWith(damaging), PERIODS)).rejects.toThrow(/damaged/);
  expect(await exists(id)).toBe(true);
  const log = captureLogger();
  expect(await cleanupOldMessages(depsWith(archive, { log: log.log }), PERIODS)).toMatchObject({
    damaged: 1,
    rows: { message: { deleted: 1 } },
  });
  expect(log.text()).toContain('a file of the archive is damaged');
  expect((await archive.list()).map(({ state }) => state)).toEqual(['damaged', 'done']);
});

function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 20) ^ 1, bytes.length - 20);
  writeFileSync(path, bytes);
}

it('without an archive contents go and rows stay', async () => {
  const id = await aged('failed', 500);
  const result = await cleanupOldMessages(depsWith(null), PERIODS);
  expect(result).toMatchObject({ kind: 'cleaned', rows: {}, rowsKept: expect.stringContaining('ARCHIVE_DIR') as string });
  expect(await room.row(id)).toMatchObject({ body: null, status: 'failed' });
});

it('contents are removed by their own period: of what Twilio has or what ended, and nothing else of the row changes', async () => {
  const ids = await Promise.all([
    aged('sent', 31),
    aged('read', 31),
    aged('held', 31),
    aged('unknown', 31),
    aged('scheduled', 31),
    aged('read', 29),
  ]);
  const before = await room.row(ids[0]);
  const inbound = await insertInbound(room.db, { ageDays: 31 });
  const asked: string[] = [];
  const result = await cleanupOldMessages(
    depsWith(null, {
      redactAtTwilio: async (sid) => {
        asked.push(sid);
        return sid === before?.['message_sid'] ? 'redacted' : 'gone';
      },
    }),
    PERIODS,
  );
  expect(result).toMatchObject({ redacted: { messages: 2, inbound: 1, atTwilio: 1, failedAtTwilio: 0 } });
  expect(asked.length).toBe(3);
  expect(await room.row(ids[0])).toEqual({ ...before, body: null, redacted_at: expect.any(String) as string });
  const bodies = await Promise.all(ids.map(async (id) => (await room.row(id))?.['body'] === null));
  expect(bodies).toEqual([true, true, false, false, false, false]);
  const [row] = await room.db.sql`SELECT body, media, details, profile_name AS name FROM inbound_messages WHERE message_sid = ${inbound}`;
  expect(row).toEqual({ body: null, media: [], details: {}, name: null });
});

it('a content that Twilio did not remove stays here until it does', async () => {
  const id = await aged('delivered', 40);
  const deps = (answer: 'failed' | 'redacted') => depsWith(null, { redactAtTwilio: () => Promise.resolve(answer) });
  expect(await cleanupOldMessages(deps('failed'), PERIODS)).toMatchObject({ redacted: { messages: 0, failedAtTwilio: 1 } });
  expect((await room.row(id))?.['body']).not.toBeNull();
  await room.db.sql`DELETE FROM system_state`;
  expect(await cleanupOldMessages(deps('redacted'), PERIODS)).toMatchObject({ redacted: { messages: 1, atTwilio: 1 } });
});

it('messages that Twilio refuses to redact do not keep it from the rest, and failures do', async () => {
  await Promise.all(Array.from({ length: 5 }, () => aged('delivered', 50)));
  const behind = (await room.row(await aged('delivered', 40)))?.['message_sid'];
  const deps = (answer: 'failed' | 'refused') =>
    depsWith(null, { redactAtTwilio: (sid) => Promise.resolve(sid === behind ? 'redacted' : answer) });
  expect(await cleanupOldMessages(deps('failed'), PERIODS)).toMatchObject({ redacted: { messages: 0, failedAtTwilio: 3 } });
  await room.db.sql`DELETE FROM system_state`;
  expect(await cleanupOldMessages(deps('refused'), PERIODS)).toMatchObject({ redacted: { messages: 1, failedAtTwilio: 5 } });
});

it('other old rows are archived and deleted by their own rules, and a dry run counts them all first', async () => {
  await insertInbound(room.db, { ageDays: 400 });
  await insertInbound(room.db, { ageDays: 400, handedOver: false });
  await room.db.sql`
    INSERT INTO dead_letters (queue, job_id, payload, reason, created_at, retry_requested_at) VALUES
      ('inbound', '1', '{}', 'x', now() - interval '400 days', NULL), ('inbound', '2', '{}', 'x', now() - interval '400 days', now()),
      ('inbound', '3', '{}', 'x', now(), NULL)`;
  await room.db.sql`
    INSERT INTO tasks (id, kind, state, created_at) VALUES (gen_random_uuid(), 'erase', 'done', now() - interval '400 days'),
      (gen_random_uuid(), 'erase', 'running', now() - interval '400 days')`;
  const alive = await aged('sent', 500);
  await room.db.sql`
    INSERT INTO audit_log (actor, action, message_id, at) VALUES ('ann', 'x', NULL, now() - interval '400 days'), ('ann', 'x', NULL, now()),
      ('ann', 'x', ${alive}, now() - interval '400 days')`;
  await aged('canceled', 400);
  const archive = newArchive();
  const expected = { message: 1, inbound: 1, dead_letter: 1, task: 1, audit: 1 };
  const counted = await cleanupOldMessages(depsWith(archive), { ...PERIODS, dryRun: true });
  expect(counted).toMatchObject({ kind: 'dry_run', rowsKept: null, rows: expected });
  expect(await archive.list()).toEqual([]);
  const result = await cleanupOldMessages(depsWith(archive), PERIODS);
  const both = Object.fromEntries(Object.entries(expected).map(([kind, count]) => [kind, { archived: count, deleted: count }]));
  expect(result).toMatchObject({ kind: 'cleaned', rows: both });
});

it('one process at a time cleans up, and what was never finished or was replaced in the folder goes, but no whole file', async () => {
  const archive = newArchive();
  const busy = await withAdvisoryLock(room.db, RETENTION_LOCK, () => cleanupOldMessages(depsWith(archive), PERIODS));
  expect(busy).toEqual({ ran: true, value: { kind: 'busy' } });
  await aged('expired', 400);
  await cleanupOldMessages(depsWith(archive), PERIODS);
  const names = () => readdirSync(archive.dir).toSorted();
  const before = names();
  const replaced = before.find((name) => name.endsWith('.1.ndjson.gz'))?.replace('.1.', '.0.') ?? '';
  writeFileSync(join(archive.dir, replaced), 'x');
  writeFileSync(join(archive.dir, 'x.1.ndjson.gz.part'), 'x');
  writeFileSync(join(archive.dir, 'x.1.ndjson.gz'), 'x');
  await cleanupOldMessages(depsWith(archive), PERIODS);
  expect(names()).toEqual([...before, 'leftovers'].toSorted());
  expect(readdirSync(join(archive.dir, 'leftovers'))).toEqual(['x.1.ndjson.gz']);
  await archive.removeLeftovers();
  expect(names()).toEqual(before);
});

it('a damaged manifest stops neither the cleanup of the rest nor its restore, and its file is left alone', async () => {
  const archive = newArchive();
  await aged('failed', 400);
  await cleanupOldMessages(depsWith(archive), PERIODS);
  const [first] = await archive.list();
  const manifest = `${first?.name}.manifest.json`;
  writeFileSync(join(archive.dir, manifest), '{}');
  await aged('failed', 400);
  expect(await cleanupOldMessages(depsWith(archive), PERIODS)).toMatchObject({ damaged: 1, rows: { message: { deleted: 1 } } });
  expect(readdirSync(archive.dir)).toContain(first?.file);
  await expect(archive.list()).rejects.toThrow(/damaged/);
  const restored = await restoreArchive({ db: room.db, archive }, { names: null, keepDays: 1, actor: 'ann', reason: 'x' });
  expect(restored).toMatchObject({ kind: 'restored', files: 1, damaged: [manifest], restored: 1 });
});

it('stopped while it deletes, it begins no other batch, and the next run goes on with the file', async () => {
  const id = await aged('failed', 400);
  const archive = newArchive();
  const stop = new AbortController();
  const failpoints = { reach: async (name: string) => (name === 'archive-before-delete' ? stop.abort() : undefined) };
  expect(await cleanupOldMessages(depsWith(archive, { failpoints }), PERIODS, stop.signal)).toMatchObject({
    rows: { message: { archived: 1, deleted: 0 } },
  });
  expect((await archive.list()).map(({ state }) => state)).toEqual(['pending']);
  expect(await cleanupOldMessages(depsWith(archive), PERIODS)).toMatchObject({ resumed: 1 });
  expect(await exists(id)).toBe(false);
});

it('a row that is written while its message is deleted does not go unread', async () => {
  const id = await aged('failed', 400);
  await room.db.sql.unsafe(`
    CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      INSERT INTO audit_log (actor, action, message_id) VALUES ('ann', 'looked', '${id}'); RETURN NULL; END $$;
    CREATE TRIGGER meddle BEFORE DELETE ON message_status_logs FOR EACH STATEMENT EXECUTE FUNCTION meddle()`);
  const archive = newArchive();
  expect(await cleanupOldMessages(depsWith(archive), PERIODS)).toMatchObject({ rows: { message: { archived: 1, deleted: 0 } } });
  expect(await exists(id)).toBe(true);
  await room.db.sql.unsafe('DROP FUNCTION meddle CASCADE');
  expect(await cleanupOldMessages(depsWith(archive), PERIODS)).toMatchObject({ rows: { message: { archived: 1, deleted: 1 } } });
});

it('tombstones are kept for 90 days', async () => {
  const [old, young] = [randomUUID(), randomUUID()];
  await room.db.sql`
    INSERT INTO message_tombstones (message_id, deleted_at) VALUES (${old}, now() - interval '91 days'), (${young}, now() - interval '89 days')`;
  expect(await cleanupOldMessages(depsWith(null), PERIODS)).toMatchObject({ tombstones: 1 });
  expect([...(await room.db.sql`SELECT message_id AS id FROM message_tombstones WHERE message_id IN (${old}, ${young})`)]).toEqual([
    { id: young },
  ]);
});
