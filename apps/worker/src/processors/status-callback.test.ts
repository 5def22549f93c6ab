import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { applyStatuses } from '@tickmark/delivery';
import { retryMessageId, type StatusEvent } from '@tickmark/domain';
import { randomSid, statusEvent, waitFor } from '@tickmark/testing';
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

it('counts callbacks of another sid, and of a message that was deleted on purpose, which changes nothing', async () => {
  const sent = await sendOne();
  const deleted = { id: randomUUID(), messageSid: randomSid() };
  await harness.db.sql`INSERT INTO message_tombstones (message_id) VALUES (${deleted.id})`;
  await harness.producers.addStatusEvents([event({ ...sent, messageSid: randomSid() }, 'delivered'), event(deleted, 'delivered')]);
  const counts = async () => {
    const { values } = await harness.metrics.statusEvents.get();
    return Object.fromEntries(values.map(({ labels, value }) => [labels['kind'], value]));
  };
  await waitFor(async () => (await counts())['deleted'] === 1);
  expect(await counts()).toMatchObject({ other_sid: 1, deleted: 1 });
  expect(await harness.row(sent.id)).toMatchObject({ status: 'queued' });
  expect(await harness.row(deleted.id)).toBeUndefined();
});

it('observes the time to a stage once, however often and in whatever words it is told', async () => {
  const sent = await sendOne();
  const observed = async () => {
    const { values } = await harness.metrics.deliveryLatency.get();
    return values.find(({ metricName, labels }) => metricName?.endsWith('_count') && labels['stage'] === 'read')?.value ?? 0;
  };
  const before = await observed();
  await harness.producers.addStatusEvents([event(sent, 'read'), event(sent, 'Read')]);
  await harness.producers.addStatusEvents([event(sent, 'READ'), event(sent, 'read')]);
  const lines = () => harness.db.sql`SELECT FROM message_status_logs WHERE message_sid = ${sent.messageSid} AND status ILIKE 'read'`;
  await waitFor(async () => (await lines()).length === 3);
  await waitFor(async () => (await observed()) > before);
  expect(await observed()).toBe(before + 1);
});

it('one poisoned event of 500 becomes a dead letter with its reason; the 499 others are applied', async () => {
  const sent = await sendOne();
  // Valid as a number, too large for the column: nothing before the statement can tell.
  const poisoned = event(sent, 'sent', { errorCode: 3_000_000_000 });
  const others = Array.from({ length: 498 }, () => statusEvent({ rawStatus: 'delivered' }));
  await harness.producers.addStatusEvents([...others.slice(0, 250), poisoned, event(sent, 'delivered'), ...others.slice(250)]);
  await waitFor(async () => (await harness.row(sent.id))?.status === 'delivered');
  const letters = () => harness.db.sql`SELECT job_id, payload, reason FROM dead_letters WHERE queue = 'status-callback'`;
  await waitFor(async () => (await letters()).length > 0);
  expect(await letters()).toEqual([
    { job_id: expect.stringMatching(/\/250$/), payload: poisoned, reason: expect.stringContaining('3000000000') },
  ]);
  const sids = [sent.messageSid, ...others.map(({ messageSid }) => messageSid)];
  const logged = await harness.db.sql`SELECT FROM message_status_logs WHERE message_sid = ANY (${sids}::text[])`;
  expect(logged).toHaveLength(499);
  const { values } = await harness.metrics.deadLetters.get();
  expect(values).toMatchObject([{ labels: { queue: 'status-callback' }, value: 1 }]);
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
