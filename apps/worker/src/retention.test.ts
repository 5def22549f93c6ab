import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createArchive, createTask, getTask, type TaskKind } from '@tickmark/delivery';
import { testFolder, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import { startWorker, type RunningWorker } from './start-worker.ts';
import { createRetentionHandlers, type RetentionSettings } from './retention.ts';

const dir = testFolder('archive');
let harness: WorkerHarness;
const workers: RunningWorker[] = [];
beforeAll(async () => {
  harness = await createWorkerHarness();
});
afterAll(async () => {
  for (const worker of workers) {
    await worker.stopTaking(5_000);
    await worker.drain();
  }
  await harness.close();
  // Archives hold what the search for leaks finds.
  rmSync(dir, { recursive: true });
});

function start(retention: Partial<RetentionSettings> = {}): void {
  const settings = { redisUrl: harness.gates.redis.url, base: harness.redis.base, senders: [harness.sender], concurrencyMax: 20 };
  workers.push(
    startWorker(
      { ...harness.deps, retention: { archive: createArchive({ dir }), bodyDays: 30, rowDays: 365, ...retention } },
      { ...settings, reconcileConcurrency: 2, lockMs: undefined, stalledMs: undefined, windowGuard: 'auto' },
    ),
  );
}

async function run(kind: TaskKind, input: unknown) {
  const taskId = await createTask(harness.db, { kind, input, requestedBy: 'ann' });
  await harness.producers.addMaintenance({ taskId });
  return waitFor(async () => {
    const task = await getTask(harness.db, taskId);
    return task?.finishedAt ? task : null;
  });
}

async function insertFailed(ageDays: number): Promise<string> {
  const id = randomUUID();
  await harness.db.sql`
    INSERT INTO whatsapp_messages (id, status, rank, priority, body, created_at, updated_at)
    VALUES (${id}, 'failed', 50, 'bulk', 'x', now() - ${ageDays} * interval '1 day', now() - ${ageDays} * interval '1 day')`;
  return id;
}

it('an operator asks for a cleanup, counts first, and is named in the audit log', async () => {
  start();
  const [old, young] = [await insertFailed(400), await insertFailed(40)];
  expect(await run('cleanup', { dryRun: true, reason: null })).toMatchObject({
    state: 'done',
    result: { kind: 'dry_run', rows: { message: 1 }, contents: { messages: 2 } },
  });
  expect(await run('cleanup', { dryRun: false, reason: 'spring' })).toMatchObject({
    state: 'done',
    result: { kind: 'cleaned', rows: { message: { deleted: 1 } }, redacted: { messages: 2 } },
  });
  expect((await harness.row(old)) === undefined).toBe(true);
  expect(await harness.row(young)).toMatchObject({ status: 'failed' });
  const audit = await harness.db.sql`SELECT actor, reason, details FROM audit_log WHERE action = 'cleaned_up'`;
  expect([...audit]).toEqual([{ actor: 'ann', reason: 'spring', details: { redacted: 2, deleted: 1 } }]);
});

it('a cleanup whose progress cannot be written is put off, and does not end the process', async () => {
  const { cleanup } = createRetentionHandlers({ ...harness.deps, retention: { archive: null, bodyDays: 30, rowDays: 365 } });
  const asked = {
    taskId: randomUUID(),
    input: { dryRun: false, reason: 'spring' },
    requestedBy: 'ann',
    signal: new AbortController().signal,
  };
  const away = () => Promise.reject(new Error('postgres is away'));
  await expect(cleanup?.(harness.deps as never, { ...asked, progress: away })).rejects.toThrow('postgres is away');
});

it('the cleanup begins by itself soon after the start, and says why rows are kept', async () => {
  const id = await insertFailed(400);
  // Older than where the walk of the test before ended.
  await harness.db.sql`DELETE FROM system_state WHERE key = 'redacted_messages'`;
  // The first pass comes long before an hour is over.
  start({ archive: null, firstMs: 20 });
  await waitFor(async () => {
    const [row] = await harness.db.sql<{ body: string | null }[]>`SELECT body FROM whatsapp_messages WHERE id = ${id}`;
    return row?.body === null;
  });
  await waitFor(() => harness.log.text().includes('old messages cleaned up'));
  expect(harness.log.text().split('old rows are kept').length).toBe(2);
  expect(await harness.row(id)).toMatchObject({ status: 'failed' });
});
