import { randomUUID } from 'node:crypto';
import { waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimForSending, insertAccepted, openStop, withAdvisoryLock } from '@tickmark/delivery';
import { createDatabaseBreaker } from './database-breaker.ts';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import { startSweeper, sweepOnce, type SweepCursor } from './sweeper.ts';

const RULES = { account: '0123456789abcdef', windowGuard: 'auto' } as const;

/** As after a pass that left off behind every row. */
const BEHIND_ALL: SweepCursor = { waiting: { id: 'ffffffff-ffff-ffff-ffff-ffffffffffff', dueAt: new Date('2200-01-01') }, parked: null };

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

it('what waits, is parked or is held beyond its validity expires and gets no job', async () => {
  const messages = Array.from({ length: 3 }, () => harness.message({ validityPeriodSeconds: 3_600 }));
  const ids = messages.map(({ id }) => id);
  const [, parked, held] = ids as [string, string, string];
  await insertAccepted(harness.db, messages);
  await harness.db.sql`UPDATE whatsapp_messages SET due_at = 'infinity' WHERE id = ${parked}`;
  await harness.db.sql`UPDATE whatsapp_messages SET status = 'held' WHERE id = ${held}`;
  await harness.db.sql`UPDATE whatsapp_messages SET expires_at = now() WHERE id = ANY (${ids}::uuid[])`;
  expect(await sweepOnce(harness.deps)).toMatchObject({ expired: 3, enqueued: 0 });
  for (const id of ids) expect(await harness.row(id)).toMatchObject({ status: 'expired' });
  const counted = (await harness.metrics.messageStatus.get()).values.find(({ labels }) => labels.status === 'expired');
  expect(counted?.value).toBe(3);
});

it('rows that were parked under a stop that is over get jobs, those under one that counts do not', async () => {
  const [freed, stopped] = [harness.message({ campaign: 'summer' }), harness.message({ campaign: 'winter' })];
  await insertAccepted(harness.db, [freed, stopped]);
  const stop = { scope: 'campaign', actor: 'ann', forMs: null } as const;
  for (const target of ['summer', 'winter']) await openStop(harness.db, { ...stop, target });
  const claims = [freed, stopped].map(({ id }) => ({ id, token: randomUUID() }));
  await claimForSending(harness.db, claims, RULES);
  await openStop(harness.db, { ...stop, target: 'summer', forMs: 0 });
  await sweepOnce(harness.deps);
  const jobs = [freed, stopped].map(({ id, sender }) => ({ id, sender }));
  expect(await harness.producers.hasSendJobs(jobs)).toEqual([true, false]);
});

it('of a wiped Redis a pass looks at all rows, wherever the last one ended', async () => {
  const jobs = await insertWaiting(600);
  await sweepOnce(harness.deps);
  await harness.redis.dropAll();
  expect(await sweepOnce(harness.deps, BEHIND_ALL)).toMatchObject({ next: { waiting: undefined } });
  expect(await harness.producers.hasSendJobs(jobs)).toEqual(jobs.map(() => true));
  // The next pass knows this Redis, and goes on where it was told.
  await harness.producers.addSend(await insertWaiting(1));
  expect(await sweepOnce(harness.deps, BEHIND_ALL)).toMatchObject({ enqueued: 0 });
});

it('a wiped Redis is told the rest before it is given the first job, also for senders that turn up later', async () => {
  await insertWaiting(600);
  const late = harness.message({ sender: 'late' });
  await insertAccepted(harness.db, [late]);
  await harness.redis.dropAll();
  const jobs = [{ id: late.id, sender: late.sender }];
  const hadJob: boolean[] = [];
  const seen = new Set<string>();
  await sweepOnce({
    ...harness.deps,
    onSenders: (aliases) => aliases.forEach((alias) => seen.add(alias)),
    reassert: async () => {
      if (seen.has('late')) hadJob.push(...(await harness.producers.hasSendJobs(jobs)));
    },
  });
  expect(hadJob).toEqual([false]);
  expect(await harness.producers.hasSendJobs(jobs)).toEqual([true]);
});

it('a full pass that fails is made again, by whoever sweeps next', async () => {
  await sweepOnce(harness.deps);
  await harness.redis.dropAll();
  const jobs = await insertWaiting(1);
  const failing = { ...harness.deps, reassert: () => Promise.reject(new Error('no redis')) };
  await expect(sweepOnce(failing)).rejects.toThrow('no redis');
  await sweepOnce(harness.deps, BEHIND_ALL);
  expect(await harness.producers.hasSendJobs(jobs)).toEqual([true]);
});

it('a snapshot of Redis that is older than a minute is recognised when it is put back', async () => {
  const old = (await sweepOnce(harness.deps))?.epoch ?? '';
  await harness.db.sql`UPDATE system_state SET updated_at = updated_at - interval '1 minute' WHERE key = 'redis_epoch'`;
  const renewed = await sweepOnce(harness.deps);
  expect(renewed?.epoch).not.toBe(old);
  const jobs = await insertWaiting(1);
  expect(await sweepOnce(harness.deps, BEHIND_ALL)).toMatchObject({ enqueued: 0, epoch: renewed?.epoch });
  await harness.producers.renewEpoch(renewed?.epoch ?? '');
  await sweepOnce(harness.deps, BEHIND_ALL);
  expect(await harness.producers.hasSendJobs(jobs)).toEqual([true]);
});

it('a wipe is noticed by itself, long before the next pass is due', async () => {
  const jobs = await insertWaiting(1);
  let asked = 0;
  const readEpoch = async () => {
    const epoch = await harness.deps.producers.readEpoch();
    asked += 1;
    return epoch;
  };
  const breaker = createDatabaseBreaker(harness.deps);
  const sweeper = startSweeper({ ...harness.deps, breaker, producers: { ...harness.deps.producers, readEpoch } }, 3_600_000);
  try {
    await waitFor(() => asked > 0);
    expect(await harness.producers.hasSendJobs(jobs)).toEqual([false]);
    await harness.redis.dropAll();
    await waitFor(async () => (await harness.producers.hasSendJobs(jobs))[0]);
  } finally {
    await sweeper.close();
    await breaker.close();
  }
});

it('one process sweeps at a time', async () => {
  const meanwhile = await withAdvisoryLock(harness.db, 'sweeper', () => sweepOnce(harness.deps));
  expect(meanwhile).toEqual({ ran: true, value: null });
});

async function insertWaiting(count: number) {
  const messages = Array.from({ length: count }, () => harness.message());
  for (let from = 0; from < count; from += 500) await insertAccepted(harness.db, messages.slice(from, from + 500));
  return messages.map(({ id, sender, priority }) => ({ id, sender, priority }));
}
