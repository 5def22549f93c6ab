import { afterAll, beforeAll, expect, it } from 'vitest';
import type { StatusEvent } from '@tickmark/domain';
import { waitFor } from '@tickmark/testing';
import { createWorkerHarness, type WorkerHarness } from '../fixtures/worker-harness.ts';

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
  harness.start();
});
afterAll(() => harness.close());

async function sendOne(): Promise<{ id: string; messageSid: string }> {
  const message = harness.message();
  await harness.producers.addIntake([message], 'bulk');
  const row = await waitFor(async () => {
    const found = await harness.row(message.id);
    return found?.message_sid ? found : undefined;
  });
  return { id: message.id, messageSid: row.message_sid ?? '' };
}

function event(sent: { id: string; messageSid: string }, rawStatus: string, overrides: Partial<StatusEvent> = {}): StatusEvent {
  return {
    messageId: sent.id,
    attempt: 1,
    messageSid: sent.messageSid,
    rawStatus,
    errorCode: null,
    receivedAt: new Date().toISOString(),
    from: null,
    to: null,
    messagingServiceSid: null,
    channelStatusMessage: null,
    source: 'callback',
    ...overrides,
  };
}

it('statuses in any order, and repeated, end in the furthest one', async () => {
  const sent = await sendOne();
  await harness.producers.addStatusEvents([event(sent, 'read'), event(sent, 'sent')]);
  await harness.producers.addStatusEvents([event(sent, 'delivered'), event(sent, 'sent'), event(sent, 'read')]);
  const logged = () =>
    harness.db.sql`SELECT l.status FROM whatsapp_messages m JOIN message_status_logs l USING (message_sid) WHERE m.id = ${sent.id}`;
  await waitFor(async () => (await logged()).length === 3);
  expect(await harness.row(sent.id)).toMatchObject({ status: 'read', error_code: null });
});

it('counts what was really new, with the class of its error', async () => {
  const sent = await sendOne();
  const failed = event(sent, 'undelivered', { errorCode: 63024 });
  await harness.producers.addStatusEvents([failed, failed]);
  await waitFor(async () => (await harness.row(sent.id))?.status === 'undelivered');
  await waitFor(async () => {
    const { values } = await harness.metrics.messageErrors.get();
    return values.find((value) => value.labels.code === '63024')?.value === 1;
  });
});

it('one event that cannot be stored becomes a dead letter; the others of its batch are applied', async () => {
  const sent = await sendOne();
  const beyondInteger = event(sent, 'sent', { errorCode: 3_000_000_000, messageSid: `SM${'f'.repeat(32)}` });
  await harness.producers.addStatusEvents([event(sent, 'sent'), beyondInteger, event(sent, 'delivered')]);
  await waitFor(async () => (await harness.row(sent.id))?.status === 'delivered');
  await waitFor(async () => (await harness.db.sql`SELECT 1 FROM dead_letters WHERE queue = 'status-callback'`).length === 1);
});
