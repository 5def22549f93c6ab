import { afterAll, beforeAll, expect, it } from 'vitest';
import { insertAccepted } from '@tickmark/delivery';
import { waitFor } from '@tickmark/testing';
import { createWorkerHarness, type WorkerHarness } from '../fixtures/worker-harness.ts';

const PATIENT_MS = 25_000;

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
});
afterAll(() => harness.close());

const cancel = (id: string, producer = 'shop') => harness.producers.requestCancel({ id, producer }, PATIENT_MS);
const later = () => new Date(Date.now() + 3_600_000).toISOString();
const canceled = async () =>
  (await harness.metrics.messageStatus.get()).values.find(({ labels }) => labels['status'] === 'canceled')?.value ?? 0;

// First, before a worker runs: then both are in their queues when it starts.
it('a message whose cancellation stands beside it in the queues is canceled and never sent', async () => {
  const messages = Array.from({ length: 20 }, () => harness.message());
  for (const message of messages) await harness.producers.addIntake([message], 'bulk');
  const answers = messages.map(({ id }) => cancel(id));
  await waitFor(async () => await harness.producers.hasIntakeBefore(new Date()));
  harness.start();
  // "Sent already" where the worker was quicker with the message; never "not found".
  const results = await Promise.all(answers);
  const statuses = await Promise.all(messages.map(async ({ id }) => (await harness.row(id))?.status));
  expect(results.map((result) => result === 'canceled')).toEqual(statuses.map((status) => status === 'canceled'));
  expect(results).not.toContain('not_found');
  expect(harness.twilio.creates).toHaveLength(results.filter((result) => result !== 'canceled').length);
});

it('a scheduled message is canceled, counted once, and told so again', async () => {
  const message = harness.message({ sendAt: later() });
  await harness.producers.addIntake([message], 'bulk');
  await waitFor(async () => (await harness.row(message.id))?.status === 'scheduled');
  const before = await canceled();
  expect(await Promise.all([cancel(message.id), cancel(message.id)])).toEqual(['canceled', 'canceled']);
  expect(await cancel(message.id)).toBe('canceled');
  expect(await canceled()).toBe(before + 1);
  expect(await harness.row(message.id)).toMatchObject({ status: 'canceled', attempts: 0 });
});

it('a message that Twilio has is not, nor one of another producer, nor one that ended', async () => {
  const message = harness.message();
  await harness.producers.addIntake([message], 'bulk');
  await waitFor(async () => (await harness.row(message.id))?.status === 'queued');
  expect(await cancel(message.id)).toBe('already_sent');
  expect(await cancel(message.id, 'mail')).toBe('not_found');
  const ended = harness.message({ sendAt: later() });
  await insertAccepted(harness.db, [ended]);
  await harness.db.sql`UPDATE whatsapp_messages SET status = 'expired', rank = 50 WHERE id = ${ended.id}`;
  expect(await cancel(ended.id)).toBe('final');
});

it('an id that nobody knows is not found, and a message that comes under it all the same is canceled', async () => {
  const message = harness.message();
  expect(await cancel(message.id)).toBe('not_found');
  await harness.producers.addIntake([message], 'bulk');
  await waitFor(async () => (await harness.row(message.id))?.status === 'canceled');
  expect(await cancel(message.id)).toBe('canceled');
});

// The row that comes of it is due at once: between its insertion and the next look at it, the claim itself asks for cancellations.
it('a cancellation that comes while its message is being inserted waits for it, and wins', async () => {
  const message = harness.message();
  const sent = harness.twilio.creates.length;
  // Another transaction has this id and has not ended yet: intake's own insertion, which saw no cancellation, waits for it.
  let rollBack = () => {};
  const inserting = harness.db.sql
    .begin(async (tx) => {
      await tx`INSERT INTO whatsapp_messages (id, sender, sender_address, recipient, priority, status, rank, due_at)
        VALUES (${message.id}, 'support', 'x', 'y', 'bulk', 'scheduled', 0, now())`;
      await harness.producers.addIntake([message], 'bulk');
      await waitFor(isInsertionWaiting);
      await new Promise<void>((resolve) => {
        rollBack = resolve;
      });
      throw new Error('rolled back');
    })
    .catch((error: unknown) => error);
  await waitFor(isInsertionWaiting);
  const answer = cancel(message.id);
  await waitFor(async () => (await harness.db.sql`SELECT 1 FROM cancel_requests WHERE message_id = ${message.id}`).length === 1);
  rollBack();
  expect(await inserting).toMatchObject({ message: 'rolled back' });
  expect(await answer).toBe('canceled');
  expect(await harness.row(message.id)).toMatchObject({ status: 'canceled', attempts: 0 });
  expect(harness.twilio.creates).toHaveLength(sent);
});

async function isInsertionWaiting(): Promise<boolean> {
  const rows = await harness.db.sql`
    SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '%INSERT INTO whatsapp_messages%'`;
  return rows.length > 0;
}
