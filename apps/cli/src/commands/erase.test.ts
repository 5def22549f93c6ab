import { failTask, finishTask, startTask } from '@tickmark/delivery';
import { randomPhone, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openCliDatabase, type CliDatabase } from '../fixtures/cli-database.ts';
import { run } from '../fixtures/run.ts';

let { db, env, close } = {} as CliDatabase;
beforeAll(async () => {
  ({ db, env, close } = await openCliDatabase());
});
afterAll(() => close());

/** Ends the task that a command asked for, in a worker's place. @returns what it was asked */
async function carryOut(end: (id: string) => Promise<void>): Promise<unknown> {
  const task = await waitFor(async () =>
    (await db.sql<{ id: string; input: unknown }[]>`SELECT id, input FROM tasks WHERE state = 'queued'`).at(0),
  );
  await startTask(db, task.id);
  await end(task.id);
  await db.sql`DELETE FROM tasks WHERE state <> 'running' AND id <> ${task.id}`;
  return task.input;
}

it('has a worker find or erase a person, and prints what it did', async () => {
  const phone = randomPhone();
  const [printed, asked] = await Promise.all([
    run(['erase', phone, '--reason', 'asked for', '--by', 'ann', '--json'], env),
    carryOut((id) => finishTask(db, id, { remaining: 0 })),
  ]);
  expect(asked).toEqual({ phone: `whatsapp:${phone}`, dryRun: false, reason: 'asked for' });
  expect(printed).toMatchObject({ code: 0, out: '{"remaining":0}\n' });
  expect(printed.err).not.toContain(phone);
  const [failed] = await Promise.all([run(['erase', phone, '--dry-run'], env), carryOut((id) => failTask(db, id, 'Set ARCHIVE_DIR.'))]);
  expect(failed).toMatchObject({ code: 1, err: expect.stringContaining('Set ARCHIVE_DIR.') as string });
});

it('says what is missing', async () => {
  expect(await run(['erase', '12', '--dry-run'], env)).toMatchObject({ code: 2, err: expect.stringContaining('country code') as string });
  expect(await run(['erase', randomPhone()], env)).toMatchObject({ code: 2, err: expect.stringContaining('--reason') as string });
});
