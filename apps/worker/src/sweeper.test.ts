import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimForSending, insertAccepted, withAdvisoryLock } from '@tickmark/delivery';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import { sweepOnce } from './sweeper.ts';

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
});
afterAll(() => harness.close());

it('a waiting row without a job gets one, and only one', async () => {
  const messages = Array.from({ length: 3 }, () => harness.message());
  await insertAccepted(harness.db, messages);
  const jobs = messages.map(({ id, sender, priority }) => ({ id, sender, priority }));
  await harness.producers.addSend(jobs.slice(0, 1));
  expect(await sweepOnce(harness.deps)).toMatchObject({ enqueued: 2, stale: 0 });
  expect(await harness.producers.hasSendJobs(jobs)).toEqual([true, true, true]);
  expect(await sweepOnce(harness.deps)).toMatchObject({ enqueued: 0 });
});

it('a claim that is older than a minute becomes unknown and gets no job; a younger one is left alone', async () => {
  const [old, young] = [harness.message(), harness.message()];
  await insertAccepted(harness.db, [old, young]);
  await claimForSending(harness.db, [
    { id: old.id, token: randomUUID() },
    { id: young.id, token: randomUUID() },
  ]);
  await harness.db.sql`UPDATE whatsapp_messages SET claimed_at = claimed_at - interval '61 seconds' WHERE id = ${old.id}`;
  expect(await sweepOnce(harness.deps)).toMatchObject({ stale: 1, enqueued: 0 });
  expect(await harness.row(old.id)).toMatchObject({ status: 'unknown' });
  expect(await harness.row(young.id)).toMatchObject({ status: 'sending' });
});

it('one process sweeps at a time', async () => {
  const meanwhile = await withAdvisoryLock(harness.db, 'sweeper', () => sweepOnce(harness.deps));
  expect(meanwhile).toEqual({ ran: true, value: null });
});
