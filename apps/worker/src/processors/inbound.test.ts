import { afterAll, beforeAll, expect, it } from 'vitest';
import { inboundMessage, waitFor } from '@tickmark/testing';
import { createWorkerHarness, type WorkerHarness } from '../fixtures/worker-harness.ts';

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
  harness.start();
});
afterAll(() => harness.close());

it('a message from a person that is delivered three times is stored once and opens the window', async () => {
  const inbound = inboundMessage({ to: harness.sender.address });
  for (const batch of [[inbound], [inbound, inbound]]) await harness.producers.addInbound(batch);
  await waitFor(async () => (await harness.db.sql`SELECT 1 FROM customer_service_windows WHERE recipient = ${inbound.from}`).length === 1);
  await waitFor(() => harness.log.lines().filter((line) => line['msg'] === 'inbound batch stored').length === 2);
  expect(await harness.db.sql`SELECT message_sid FROM inbound_messages WHERE message_sid = ${inbound.messageSid}`).toHaveLength(1);
});
