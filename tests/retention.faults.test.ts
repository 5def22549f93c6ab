// The promise: nothing is deleted that is not in a verified archive, wherever the cleanup is killed, and everything comes back equal.
import { rmSync } from 'node:fs';
import { createArchive, createDatabase, restoreArchive, type Database } from '@tickmark/delivery';
import { spawnProcess, testDatabase, testFolder, waitFor, type TestDatabase } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fullOrReduced } from './support/counts.ts';

/** Old enough to go; as many are not. */
const MESSAGES = fullOrReduced(20_000, 2_000);
const BATCHES = Math.ceil(MESSAGES / 500);
const FAILPOINTS = [
  'archive-before-rename',
  'archive-before-manifest',
  'archive-before-delete',
  'archive-mid-delete',
  `archive-mid-delete:${Math.min(5, BATCHES)}`,
  'archive-before-done',
];

const dir = testFolder('archive');
const archive = createArchive({ dir });
let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await testDatabase();
  db = createDatabase({ url: database.url, prepare: true, max: 3, applicationName: 'retention-test' });
  await fill();
}, 120_000);
afterAll(async () => {
  await db.close();
  await database.drop();
  rmSync(dir, { recursive: true });
}, 60_000);

/** Messages with two statuses each, of every status that there is: final ones may go when they are old, the others never. */
async function fill(): Promise<void> {
  await db.sql.unsafe(`
    SET statement_timeout = 0;
    INSERT INTO whatsapp_messages (id, status, rank, priority, message_sid, sid_source, attempts, claim_token, claimed_at, due_at, metadata, created_at, updated_at)
    SELECT gen_random_uuid(), s.status, s.rank, 'bulk', CASE WHEN s.rank >= 20 THEN 'SM' || md5(n::text) END, CASE WHEN s.rank >= 20 THEN 'record' END,
      1, gen_random_uuid(), now() - interval '400 days', now(), jsonb_build_object('order', n::text),
      now() - interval '400 days' - n * interval '1 second', now() - interval '400 days'
    FROM generate_series(1, ${MESSAGES * 2}) AS n
    JOIN (VALUES (0, 'delivered', 60), (1, 'sent', 40), (2, 'failed', 50), (3, 'scheduled', 0), (4, 'read', 70), (5, 'unknown', 0), (6, 'canceled', 50),
      (7, 'held', 0)) AS s (place, status, rank) ON s.place = n % 8;
    INSERT INTO message_status_logs (message_sid, status, message_id, source, received_at)
    SELECT m.message_sid, l.status, m.id, 'callback', now() - interval '400 days'
    FROM whatsapp_messages m CROSS JOIN (VALUES ('sent'), ('delivered')) AS l (status) WHERE m.message_sid IS NOT NULL;
    ANALYZE whatsapp_messages; ANALYZE message_status_logs`);
}

const MAY_GO = `status IN ('delivered', 'read', 'failed', 'canceled')`;

/** Hashes of the rows, and of their logs, by message. */
async function hashes(): Promise<Map<string, string>> {
  const rows = await db.sql.unsafe<{ id: string; hash: string }[]>(`
    SELECT m.id::text, md5(to_jsonb(m)::text || COALESCE(string_agg(to_jsonb(l)::text, ' ' ORDER BY l.status), '')) AS hash
    FROM whatsapp_messages m LEFT JOIN message_status_logs l ON l.message_sid = m.message_sid GROUP BY m.id`);
  return new Map(rows.map(({ id, hash }) => [id, hash]));
}

const start = (failpoints?: string) =>
  spawnProcess({
    entry: 'tests/support/retention-process.ts',
    env: {
      DATABASE_URL: database.url,
      ARCHIVE_DIR: dir,
      TWILIO_MODE: 'simulator',
      ...(failpoints === undefined ? {} : { FAILPOINTS: failpoints }),
    },
  });

/** Ids of messages that the archive holds, verified. */
async function archivedIds(): Promise<Set<string>> {
  const ids = new Set<string>();
  for (const manifest of await archive.list()) for await (const { key } of archive.read(manifest)) ids.add(key);
  return ids;
}

it('killed at each step and started again, it deletes what is in a verified archive and nothing else, and all of it comes back equal', async () => {
  const before = await hashes();
  const goes = new Set((await db.sql.unsafe<{ id: string }[]>(`SELECT id FROM whatsapp_messages WHERE ${MAY_GO}`)).map(({ id }) => id));
  expect(goes.size).toBe(MESSAGES);
  for (const failpoint of FAILPOINTS) {
    const killed = start(failpoint);
    await waitFor(() => killed.output().includes('stopped at a failpoint'), { timeoutMs: 60_000, message: failpoint });
    await killed.kill();
    const [there, archived] = [await hashes(), await archivedIds()];
    const lost = [...before.keys()].filter((id) => !there.has(id) && !archived.has(id));
    const wrongly = [...before.keys()].filter((id) => !there.has(id) && !goes.has(id));
    expect([failpoint, lost, wrongly]).toEqual([failpoint, [], []]);
  }
  const last = start();
  await waitFor(() => last.output().includes('"kind":"cleaned"'), { timeoutMs: 120_000, message: 'the cleanup to end' });
  const after = await hashes();
  expect([...after.keys()].filter((id) => goes.has(id))).toEqual([]);
  expect(after.size).toBe(before.size - goes.size);
  expect(await archivedIds()).toEqual(goes);
  const restored = await restoreArchive({ db, archive }, { names: null, keepDays: 1, actor: 'ann', reason: 'a test' });
  expect(restored).toMatchObject({ kind: 'restored', damaged: [], unequal: 0, restored: goes.size });
  expect(await hashes()).toEqual(before);
}, 300_000);
