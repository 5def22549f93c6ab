import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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

describe('who asks to be written to no more', () => {
  const suppressionOf = async (recipient: string) =>
    (
      await harness.db.sql<
        { suppressed: boolean }[]
      >`SELECT suppressed FROM suppressions WHERE recipient = ${recipient} AND category = 'all'`
    )[0]?.suppressed;

  it('is suppressed, whatever is said in the middle of a sentence, and free again by START', async () => {
    const stop = inboundMessage({ to: harness.sender.address, body: 'Stop!', receivedAt: '2026-01-01T10:00:00.000Z' });
    const { from } = stop;
    const chat = inboundMessage({ from, to: harness.sender.address, body: 'we start at ten', receivedAt: '2026-01-01T10:01:00.000Z' });
    await harness.producers.addInbound([stop, chat]);
    await waitFor(async () => (await suppressionOf(from)) === true);
    const start = inboundMessage({ from, to: harness.sender.address, body: 'START', receivedAt: '2026-01-01T10:02:00.000Z' });
    await harness.producers.addInbound([start]);
    await waitFor(async () => (await suppressionOf(from)) === false);
  });

  it('stays so when Twilio repeats a START that came before the STOP', async () => {
    const to = harness.sender.address;
    const start = inboundMessage({ to, body: 'start', receivedAt: '2026-01-01T10:00:00.000Z' });
    const stop = inboundMessage({ from: start.from, to, body: 'stop', receivedAt: '2026-01-01T10:00:05.000Z' });
    const again = { ...start, receivedAt: '2026-01-01T10:00:10.000Z' };
    const marker = inboundMessage({ to, body: 'stop' });
    // One after the other, as two batches are stored at a time.
    await harness.producers.addInbound([start]);
    await waitFor(async () => (await suppressionOf(start.from)) === false);
    await harness.producers.addInbound([stop]);
    await waitFor(async () => (await suppressionOf(start.from)) === true);
    await harness.producers.addInbound([again, marker]);
    await waitFor(async () => (await suppressionOf(marker.from)) === true);
    expect(await suppressionOf(start.from)).toBe(true);
  });

  it('by a STOP that comes after a START which was said later stays free', async () => {
    const start = inboundMessage({ to: harness.sender.address, body: 'start', receivedAt: '2026-01-01T10:02:00.000Z' });
    const { from } = start;
    await harness.producers.addInbound([start]);
    await waitFor(async () => (await suppressionOf(from)) === false);
    const stop = inboundMessage({ from, to: harness.sender.address, body: 'stop', receivedAt: '2026-01-01T10:01:00.000Z' });
    await harness.producers.addInbound([stop]);
    await waitFor(async () => (await harness.db.sql`SELECT FROM inbound_messages WHERE message_sid = ${stop.messageSid}`).length === 1);
    const marker = inboundMessage({ to: harness.sender.address, body: 'stop' });
    await harness.producers.addInbound([marker]);
    await waitFor(async () => (await suppressionOf(marker.from)) === true);
    expect(await suppressionOf(from)).toBe(false);
  });
});
