import { afterAll, beforeAll, expect, it } from 'vitest';
import { insertAccepted } from '@tickmark/delivery';
import { waitFor } from '@tickmark/testing';
import { createWorkerHarness, type WorkerHarness } from '../fixtures/worker-harness.ts';

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
  harness.start();
});
afterAll(() => harness.close());

it('every message of a batch gets its row and is sent', async () => {
  const messages = Array.from({ length: 50 }, () => harness.message());
  await harness.producers.addIntake(messages, 'bulk');
  const sent = () => harness.db.sql`SELECT id FROM whatsapp_messages WHERE status = 'queued'`;
  await waitFor(async () => (await sent()).length === 50, { timeoutMs: 20_000 });
  expect(harness.twilio.creates).toHaveLength(50);
});

it('a batch whose rows are there but whose jobs were lost is enqueued all the same', async () => {
  const message = harness.message();
  await insertAccepted(harness.db, [message]);
  await harness.producers.addIntake([message], 'bulk');
  await waitFor(async () => (await harness.row(message.id))?.status === 'queued');
});

it('the same key with another body changes nothing and is counted', async () => {
  const message = harness.message();
  await harness.producers.addIntake([message], 'bulk');
  await waitFor(async () => (await harness.row(message.id))?.status === 'queued');
  await harness.producers.addIntake([{ ...message, requestHash: 'b'.repeat(64) }, harness.message()], 'bulk');
  await waitFor(async () => (await harness.metrics.idempotencyConflicts.get()).values[0]?.value === 1);
});
