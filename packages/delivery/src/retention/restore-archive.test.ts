import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { captureLogger, statusEvent, testFolder } from '@tickmark/testing';
import { afterAll, expect, it } from 'vitest';
import { applyStatuses } from '../apply-statuses.ts';
import { createArchive } from '../archive/archive.ts';
import { deliveryRoom, valuesOf } from '../fixtures/delivery-room.ts';
import { insertInbound } from '../fixtures/old-rows.ts';
import { cleanupOldMessages } from './cleanup-old-messages.ts';
import { restoreArchive } from './restore-archive.ts';

const room = deliveryRoom();
const dir = testFolder('archive');
// Archives hold what the search for leaks finds.
afterAll(() => rmSync(dir, { recursive: true }));

const archive = createArchive({ dir });
const OPERATOR = { actor: 'ann', reason: 'asked for by the auditors', keepDays: 7 };

/** Everything in the tables that are archived, as text. */
async function everything(): Promise<string> {
  const tables = [
    'whatsapp_messages',
    'message_attempts',
    'message_status_logs',
    'inbound_messages',
    'dead_letters',
    'tasks',
    'receipt_polls',
  ];
  const dumps = await Promise.all(
    tables.map((table) => room.db.sql<{ row: string }[]>`SELECT t::text AS row FROM ${room.db.sql(table)} t ORDER BY 1`),
  );
  return JSON.stringify(dumps);
}

/** What is counted, folded or not. */
async function rollups(): Promise<unknown[]> {
  return [...(await room.db.sql`SELECT * FROM delivery_metric_changes ORDER BY id`)];
}

async function sendOld(): Promise<string> {
  const { message, sid } = await room.sendAccepted({ metadata: { name: 'Zoë "Z" \\ 1' }, contentVariables: { 1: '✓' } });
  valuesOf(
    await applyStatuses(
      room.db,
      ['sent', 'delivered'].map((rawStatus) => statusEvent({ messageId: message.id, attempt: 1, messageSid: sid, rawStatus })),
    ),
  );
  await room.db.sql`
    UPDATE whatsapp_messages SET created_at = now() - interval '400 days', updated_at = now() - interval '400 days',
      sent_at = now() - interval '400 days', delivered_at = now() - interval '400 days' WHERE id = ${message.id}`;
  return message.id;
}

const cleanup = (bodyDays = 1_000) =>
  cleanupOldMessages({ db: room.db, archive, log: captureLogger().log }, { bodyDays, rowDays: 365, pauseRatio: 0, fileRecords: 3 });

it('what was archived comes back equal, once, and stays for as long as was asked', async () => {
  const ids = [await sendOld(), await sendOld(), await sendOld(), await sendOld()];
  await insertInbound(room.db, { ageDays: 400 });
  await room.db
    .sql`INSERT INTO dead_letters (queue, job_id, payload, reason, created_at) VALUES ('inbound', '1', '{"a":1}', 'x', now() - interval '400 days')`;
  await room.db
    .sql`INSERT INTO tasks (id, kind, state, created_at) VALUES (gen_random_uuid(), 'erase', 'done', now() - interval '400 days')`;
  const before = await everything();
  const counted = await rollups();
  expect(await cleanup()).toMatchObject({ rows: { message: { deleted: 4 }, inbound: { deleted: 1 }, dead_letter: { deleted: 1 } } });
  expect(await everything()).not.toBe(before);
  const counts = { kind: 'restored', files: 5, damaged: [], records: 7, unequal: 0 };
  expect(await restoreArchive({ db: room.db, archive }, { ...OPERATOR, names: null, dryRun: true })).toMatchObject({
    ...counts,
    restored: 0,
  });
  expect(await restoreArchive({ db: room.db, archive }, { ...OPERATOR, names: null })).toMatchObject({
    ...counts,
    restored: 7,
    present: 0,
  });
  expect(await everything()).toBe(before);
  expect(await rollups()).toEqual(counted);
  expect((await room.db.sql`SELECT FROM message_tombstones WHERE message_id = ANY (${ids}::uuid[])`).length).toBe(0);
  expect((await room.db.sql`SELECT FROM audit_log WHERE action = 'archive_restored' AND actor = 'ann'`).length).toBe(5);
  expect(await restoreArchive({ db: room.db, archive }, { ...OPERATOR, names: null })).toMatchObject({
    ...counts,
    restored: 0,
    present: 7,
  });
  expect(await cleanup()).toMatchObject({ rows: {}, rowsKept: expect.stringContaining('a restore asked') as string });
  await room.db.sql`UPDATE system_state SET value = '2000-01-01T00:00:00Z' WHERE key = 'cleanup_paused_until'`;
  expect(await cleanup()).toMatchObject({ rowsKept: null, rows: { message: { deleted: 4 } } });
});

it('of a damaged file nothing is put back, and the others are', async () => {
  const damaged = (await archive.list()).at(0)!;
  const path = join(dir, damaged.file);
  const whole = readFileSync(path);
  writeFileSync(path, whole.subarray(0, -1));
  const result = await restoreArchive({ db: room.db, archive }, { ...OPERATOR, names: null });
  expect(result).toMatchObject({ kind: 'restored', damaged: [damaged.file], restored: 7 });
  writeFileSync(path, whole);
  expect(await restoreArchive({ db: room.db, archive }, { ...OPERATOR, names: ['x', damaged.name] })).toEqual({
    kind: 'unknown_names',
    names: ['x'],
  });
});

it('what is written after a restore into a new database gets no number that came back', async () => {
  await room.db.sql`INSERT INTO audit_log (actor, action, at) VALUES ('ann', 'looked', now() - interval '400 days')`;
  await room.db.sql`DELETE FROM system_state`;
  const fresh = createArchive({ dir: join(dir, 'fresh') });
  await cleanupOldMessages({ db: room.db, archive: fresh, log: captureLogger().log }, { bodyDays: 30, rowDays: 365, pauseRatio: 0 });
  await room.db.sql`TRUNCATE audit_log RESTART IDENTITY`;
  await room.db.sql`SELECT setval(pg_get_serial_sequence('audit_log', 'id'), 1, false)`;
  await restoreArchive({ db: room.db, archive: fresh }, { names: null, ...OPERATOR });
  const { count } = await room.db.sql`INSERT INTO audit_log (actor, action) SELECT 'ann', 'looked' FROM generate_series(1, 100)`;
  expect(count).toBe(100);
});
