import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { cleanupOldMessages, createArchive } from '@tickmark/delivery';
import { captureLogger, testFolder } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openCliDatabase, type CliDatabase } from '../fixtures/cli-database.ts';
import { run } from '../fixtures/run.ts';

let { db, close } = {} as CliDatabase;
let env: { DATABASE_URL: string; ARCHIVE_DIR: string };
beforeAll(async () => {
  const opened = await openCliDatabase();
  ({ db, close } = opened);
  env = { ...opened.env, ARCHIVE_DIR: testFolder('archive') };
});
afterAll(async () => {
  await close();
  rmSync(env.ARCHIVE_DIR, { recursive: true });
});

it('archives are verified, put back and kept, file by file or all of them', async () => {
  const id = randomUUID();
  await db.sql`
    INSERT INTO whatsapp_messages (id, status, rank, priority, created_at, updated_at)
    VALUES (${id}, 'failed', 50, 'bulk', now() - interval '400 days', now() - interval '400 days')`;
  const archive = createArchive({ dir: env.ARCHIVE_DIR });
  await cleanupOldMessages({ db, archive, log: captureLogger().log }, { bodyDays: 30, rowDays: 365 });
  const file = (await archive.list()).at(0)?.file ?? '';
  expect(await run(['restore', '--all', '--dry-run'], env)).toMatchObject({ code: 0, out: '1 archives with 1 records are whole.\n' });
  const restored = await run(['restore', '--file', file, '--reason', 'an auditor asks', '--by', 'ann', '--json'], env);
  expect(restored).toMatchObject({ code: 0, err: expect.stringContaining('1 records') as string });
  expect(JSON.parse(restored.out)).toMatchObject({ files: 1, restored: 1, present: 0, unequal: 0, damaged: [] });
  expect((await db.sql`SELECT FROM whatsapp_messages WHERE id = ${id}`).length).toBe(1);
  expect([...(await db.sql`SELECT actor, reason FROM audit_log`)]).toEqual([{ actor: 'ann', reason: 'an auditor asks' }]);
  expect((await run(['restore', '--all', '--reason', 'again'], env)).out).toMatch(/^0 of 1 records put back, 1 were there already/);
});

it('says what is missing', async () => {
  expect(await run(['restore', '--reason', 'x'], env)).toMatchObject({ code: 2, err: expect.stringContaining('--all') as string });
  expect(await run(['restore', '--all'], env)).toMatchObject({ code: 2, err: expect.stringContaining('--reason') as string });
  expect(await run(['restore', '--all', '--dry-run'], { DATABASE_URL: env.DATABASE_URL })).toMatchObject({
    code: 2,
    err: expect.stringContaining('ARCHIVE_DIR') as string,
  });
  expect(await run(['restore', '--file', 'x', '--dry-run'], env)).toMatchObject({
    code: 1,
    err: expect.stringContaining('no archive x') as string,
  });
});
