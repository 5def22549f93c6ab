import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimForSending, insertAccepted, openStop, withAdvisoryLock } from '@tickmark/delivery';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import { sweepOnce } from './sweeper.ts';

const RULES = { account: '0123456789abcdef', windowGuard: 'auto' } as const;

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
  const claims = [old, young].map(({ id }) => ({ id, token: randomUUID() }));
  await claimForSending(harness.db, claims, RULES);
  await harness.db.sql`UPDATE whatsapp_messages SET claimed_at = claimed_at - interval '61 seconds' WHERE id = ${old.id}`;
  expect(await sweepOnce(harness.deps)).toMatchObject({ stale: 1, enqueued: 0 });
  expect(await harness.row(old.id)).toMatchObject({ status: 'unknown' });
  expect(await harness.row(young.id)).toMatchObject({ status: 'sending' });
});

it('rows that were parked under a stop that is over get jobs, those under one that counts do not', async () => {
  const [freed, stopped] = [harness.message({ campaign: 'summer' }), harness.message({ campaign: 'winter' })];
  await insertAccepted(harness.db, [freed, stopped]);
  const stop = { scope: 'campaign', source: 'operator', actor: 'ann', forMs: null } as const;
  for (const target of ['summer', 'winter']) await openStop(harness.db, { ...stop, target });
  const claims = [freed, stopped].map(({ id }) => ({ id, token: randomUUID() }));
  await claimForSending(harness.db, claims, RULES);
  await openStop(harness.db, { ...stop, target: 'summer', forMs: 0 });
  await sweepOnce(harness.deps);
  const jobs = [freed, stopped].map(({ id, sender }) => ({ id, sender }));
  expect(await harness.producers.hasSendJobs(jobs)).toEqual([true, false]);
});

it('one process sweeps at a time', async () => {
  const meanwhile = await withAdvisoryLock(harness.db, 'sweeper', () => sweepOnce(harness.deps));
  expect(meanwhile).toEqual({ ran: true, value: null });
});
