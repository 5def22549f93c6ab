import { afterAll, beforeAll, expect, it } from 'vitest';
import { insertAccepted, seedSenders } from '@tickmark/delivery';
import { waitFor } from '@tickmark/testing';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
});
afterAll(() => harness.close());

it('is not ready without migrations and says so, then takes up the queues when they are there', async () => {
  await harness.db.sql`ALTER SCHEMA drizzle RENAME TO hidden`;
  // Of an earlier release, say: that a sender can be read does not mean that the rest is there.
  await seedSenders(harness.db, [harness.sender]);
  const worker = harness.start({ sendersRefreshMs: 100 });
  const message = harness.message();
  await harness.producers.addIntake([message], 'bulk');
  await aWhile();
  expect(worker.queues()).toEqual([]);
  const before = await worker.readiness();
  expect(before.ready).toBe(false);
  expect(before.reasons.join()).toMatch(/npm run migrate/);
  expect(await harness.row(message.id)).toBeUndefined();

  await harness.db.sql`ALTER SCHEMA hidden RENAME TO drizzle`;
  await waitFor(async () => (await worker.readiness()).ready);
  await waitFor(async () => (await harness.row(message.id))?.status === 'queued');
  expect(new Set(worker.queues())).toEqual(
    new Set(['cancel', 'inbound', 'intake', 'maintenance', 'send-outcome', 'send-support', 'status-callback']),
  );
  await worker.stopTaking(5_000);
});

it('jobs that run when it is told to stop are finished and recorded', async () => {
  const messages = Array.from({ length: 40 }, () => harness.message());
  const worker = harness.start();
  await waitFor(async () => (await worker.readiness()).ready);
  await harness.producers.addIntake(messages, 'bulk');
  await waitFor(() => harness.twilio.creates.length > 5);
  await worker.stopTaking(5_000);
  await worker.drain();
  const sending = await harness.db.sql`SELECT id FROM whatsapp_messages WHERE status = 'sending'`;
  expect(sending).toHaveLength(0);
});

it('takes no more messages from when it is told to stop, also while the database does not answer', async () => {
  const worker = harness.start();
  await waitFor(async () => (await worker.readiness()).ready);
  harness.gates.database.stall('answers');
  // For what it reads every second to be under way.
  await aWhile();
  const stopping = worker.stopTaking(1_000);
  const message = harness.message();
  await insertAccepted(harness.db, [message]);
  await harness.producers.addSend([message]);
  await aWhile();
  expect(await harness.row(message.id)).toMatchObject({ status: 'accepted', attempts: 0 });
  await stopping;
  await harness.gates.database.open();
}, 30_000);

/** Time for everything that happens every second. */
async function aWhile(): Promise<void> {
  const startedMs = performance.now();
  await waitFor(() => performance.now() - startedMs > 1_500);
}
