import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyStatuses } from '@tickmark/delivery';
import { retryMessageId, type StatusEvent } from '@tickmark/domain';
import { statusEvent, waitFor } from '@tickmark/testing';
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

function event(
  { id, messageSid }: { id: string; messageSid: string },
  rawStatus: string,
  overrides: Partial<StatusEvent> = {},
): StatusEvent {
  return statusEvent({ messageId: id, attempt: 1, messageSid, rawStatus, ...overrides });
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

describe('a failure that passes by itself', () => {
  const retryOf = async (id: string) => {
    const [row] = await harness.db.sql<{ id: string; status: string }[]>`SELECT id, status FROM whatsapp_messages WHERE retry_of = ${id}`;
    return row;
  };

  it('makes one new row that waits for its time, and tells what it saw', async () => {
    const sent = await sendOne();
    const failed = event(sent, 'failed', { errorCode: 63012 });
    await harness.producers.addStatusEvents([failed]);
    const retry = await waitFor(() => retryOf(sent.id));
    expect(retry).toMatchObject({ id: retryMessageId(sent.id), status: 'scheduled' });
    await waitFor(async () => (await harness.producers.hasSendJobs([{ id: retry.id, sender: harness.sender.alias }]))[0]);
    const signals = () => harness.signaled.filter((signal) => signal.code === 63012);
    expect(signals()).toEqual([{ kind: 'failed-later', code: 63012, sender: harness.sender.alias, template: null, campaign: null }]);
    await harness.producers.addStatusEvents([failed, failed]);
    await untilApplied(2);
    expect(signals()).toHaveLength(1);
    expect(await harness.db.sql`SELECT 1 FROM whatsapp_messages WHERE retry_of = ${sent.id}`).toHaveLength(1);
  });

  it('is retried also when it was logged by a run that died before the retry was made', async () => {
    const sent = await sendOne();
    const failed = event(sent, 'failed', { errorCode: 63010 });
    await applyStatuses(harness.db, [failed]);
    await harness.producers.addStatusEvents([failed]);
    await waitFor(() => retryOf(sent.id));
  });

  it('and is told to have arrived after all loses its retry', async () => {
    const sent = await sendOne();
    await harness.producers.addStatusEvents([event(sent, 'failed', { errorCode: 63010 })]);
    await waitFor(() => retryOf(sent.id));
    await harness.producers.addStatusEvents([event(sent, 'delivered')]);
    await waitFor(async () => (await retryOf(sent.id))?.status === 'canceled');
    expect(await harness.row(sent.id)).toMatchObject({ status: 'delivered' });
  });

  it.each([30008, 30410, 63024, 63016, 63999])('is none with %i: nothing is sent again', async (errorCode) => {
    const sent = await sendOne();
    const passing = await sendOne();
    await harness.producers.addStatusEvents([
      event(sent, 'failed', { errorCode, channelStatusMessage: 'please try again later' }),
      event(passing, 'failed', { errorCode: 63009 }),
    ]);
    await waitFor(() => retryOf(passing.id));
    expect(await harness.row(sent.id)).toMatchObject({ status: 'failed', error_code: errorCode });
    expect(await retryOf(sent.id)).toBeUndefined();
  });

  it('is held instead when a sender has to be repaired first', async () => {
    const sent = await sendOne();
    await harness.producers.addStatusEvents([event(sent, 'failed', { errorCode: 63007 })]);
    expect(await waitFor(() => retryOf(sent.id))).toMatchObject({ status: 'held' });
  });

  /** The batch that brings nothing new is through. */
  const untilApplied = (repeated: number) =>
    waitFor(() => harness.log.lines().some((line) => line['msg'] === 'status batch applied' && line['repeated'] === repeated));
});
