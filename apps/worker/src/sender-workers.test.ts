import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { insertAccepted, seedSenders } from '@tickmark/delivery';
import type { Sender } from '@tickmark/domain';
import { randomPhone, waitFor } from '@tickmark/testing';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import type { RunningWorker } from './start-worker.ts';

const SENDERS_REFRESH_MS = 100;

let harness: WorkerHarness;
let worker: RunningWorker;
beforeAll(async () => {
  harness = await createWorkerHarness();
  worker = harness.start({ sendersRefreshMs: SENDERS_REFRESH_MS, sweepIntervalMs: 300 });
  await waitFor(async () => (await worker.readiness()).ready);
});
afterEach(() => harness.db.sql`UPDATE senders SET mps = 80, state = 'active'`);
afterAll(() => harness.close());

const newSender = (alias: string, mps = 80): Sender => ({ alias, mps, address: `whatsapp:${randomPhone()}` });
const consumed = (alias: string) => worker.queues().includes(`send-${alias}`);
const callsFrom = (sender: Sender) => harness.twilio.creates.filter((form) => form.get('From') === sender.address).length;

async function addMessages(sender: Sender, count: number): Promise<void> {
  const messages = Array.from({ length: count }, () => harness.message({ sender: sender.alias, senderAddress: sender.address }));
  await harness.producers.addIntake(messages, 'bulk');
}

it('takes up a sender that is new in the table', async () => {
  const sender = newSender('fresh');
  await seedSenders(harness.db, [sender]);
  await waitFor(() => consumed('fresh'));
  await addMessages(sender, 3);
  await waitFor(() => callsFrom(sender) === 3);
});

it('a pace that is changed in the table holds while messages wait', async () => {
  const sender = newSender('slow', 0.5);
  await seedSenders(harness.db, [sender]);
  await waitFor(() => consumed('slow'));
  await addMessages(sender, 20);
  await waitFor(() => callsFrom(sender) === 1);
  await harness.db.sql`UPDATE senders SET mps = 100 WHERE alias = 'slow'`;
  // At the old pace they would take 40 seconds.
  await waitFor(() => callsFrom(sender) === 20);
});

it('a transactional message leaves before the bulk messages that wait, however many they are', async () => {
  const sender = newSender('busy', 20);
  await seedSenders(harness.db, [sender]);
  await waitFor(() => consumed('busy'));
  await addMessages(sender, 300);
  await waitFor(() => callsFrom(sender) >= 10);
  const urgent = harness.message({ sender: sender.alias, senderAddress: sender.address, priority: 'transactional' });
  await harness.producers.addIntake([urgent], 'transactional');
  const left = () => harness.twilio.creates.filter((form) => form.get('From') === sender.address);
  const place = await waitFor(() => left().findIndex((form) => form.get('StatusCallback')?.includes(urgent.id)) + 1);
  // Those that left until it was stored; in the order of arrival it would be the last.
  expect(place).toBeLessThan(200);
  await harness.db.sql`UPDATE senders SET mps = 1000 WHERE alias = 'busy'`;
  await waitFor(() => callsFrom(sender) === 301, { timeoutMs: 20_000 });
});

it('a paused sender sends nothing, delays no other one, and goes on where it stopped', async () => {
  const sender = newSender('held');
  await seedSenders(harness.db, [sender]);
  await waitFor(() => consumed('held'));
  await harness.db.sql`UPDATE senders SET state = 'paused' WHERE alias = 'held'`;
  await waitFor(() => harness.log.lines().some(({ msg, sender: alias }) => msg === 'sender paused' && alias === 'held'));
  await addMessages(sender, 3);
  await addMessages(harness.sender, 3);
  await waitFor(() => callsFrom(harness.sender) === 3);
  expect(callsFrom(sender)).toBe(0);
  await harness.db.sql`UPDATE senders SET state = 'active' WHERE alias = 'held'`;
  await waitFor(() => callsFrom(sender) === 3);
});

it('a sender that was removed while it was paused still sends what it has', async () => {
  const sender = newSender('removed');
  await seedSenders(harness.db, [sender]);
  await harness.db.sql`UPDATE senders SET state = 'paused' WHERE alias = 'removed'`;
  await waitFor(() => consumed('removed'));
  await addMessages(sender, 3);
  await harness.db.sql`DELETE FROM senders WHERE alias = 'removed'`;
  await waitFor(() => callsFrom(sender) === 3);
});

it('a sender that the table does not know, but that has waiting messages, is consumed', async () => {
  const sender = newSender('stranded');
  const messages = Array.from({ length: 3 }, () => harness.message({ sender: sender.alias, senderAddress: sender.address }));
  await insertAccepted(harness.db, messages);
  expect(consumed('stranded')).toBe(false);
  await waitFor(() => callsFrom(sender) === 3);
});
