import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '@tickmark/testing';
import { systemClock, type Clock } from '@tickmark/runtime';
import { endStop, insertAccepted, openStop } from '@tickmark/delivery';
import { created, type Answer } from '../fixtures/scripted-twilio.ts';
import { createWorkerHarness, type WorkerHarness } from '../fixtures/worker-harness.ts';
import { sweepOnce } from '../sweeper.ts';

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
  // No sweep within a test: it would give a job to a row that lost its own.
  harness.start({ sweepIntervalMs: 600_000 });
});
afterAll(() => harness.close());

const callsFor = (id: string) => harness.twilio.creates.filter((form) => form.get('StatusCallback')?.includes(id));

async function sendAndAwait(status: string): Promise<string> {
  const message = harness.message();
  await harness.producers.addIntake([message], 'bulk');
  await waitFor(async () => (await harness.row(message.id))?.status === status, { message: `the row to be ${status}` });
  return message.id;
}

describe('what Twilio answers decides what the row becomes', () => {
  const rejected = (code: number): Answer => ({ status: 400, body: { code, message: 'no', more_info: '', status: 400 } });
  const cases: [name: string, answer: Answer, status: string, errorCode: number | null][] = [
    ['201 with a sid', created(), 'queued', null],
    ['201 that says accepted, as Messaging Services do', created('accepted'), 'queued', null],
    ['201 without a sid', { status: 201, body: {} }, 'unknown', null],
    ['201 that is no JSON', { status: 201, body: undefined }, 'unknown', null],
    ['400 with a code', rejected(21211), 'failed', 21211],
    ['400 for an opted-out person', rejected(21610), 'failed', 21610],
    ['503', { status: 503, body: { code: 20503, message: 'no', status: 503 } }, 'unknown', 20503],
    ['429 of a proxy, without a code', { status: 429, body: 'slow down' }, 'unknown', null],
    ['a connection cut after the request was read', 'reset', 'unknown', null],
  ];
  it.each(cases)('%s → %#', async (_name, answer, status, errorCode) => {
    harness.answerWith(() => answer);
    const id = await sendAndAwait(status);
    expect(await harness.row(id)).toMatchObject({ status, error_code: errorCode, attempts: 1 });
    expect(callsFor(id)).toHaveLength(1);
  });
});

describe('a refused call', () => {
  const refuse = (code: number) => harness.answerWith(() => ({ status: 400, body: { code, message: 'no', status: 400 } }));
  const jobOf = async (id: string) => (await harness.producers.hasSendJobs([{ id, sender: harness.sender.alias }]))[0];

  it('that may pass by itself is made once and comes back later', async () => {
    refuse(20409);
    const id = await sendAndAwait('retrying');
    expect(await harness.row(id)).toMatchObject({ error_code: 20409, attempts: 1 });
    expect(harness.signaled).toContainEqual({ kind: 'refused', code: 20409, sender: harness.sender.alias, template: null, campaign: null });
    harness.answerWith(() => created());
    await waitFor(async () => (await harness.row(id))?.status === 'queued');
    expect(callsFor(id)).toHaveLength(2);
  });

  it('that is to be repeated in hours keeps no job until then', async () => {
    refuse(30003);
    const id = await sendAndAwait('retrying');
    await waitFor(async () => !(await jobOf(id)));
    expect(callsFor(id)).toHaveLength(1);
  });

  it("obeys an operator's policy for its code", async () => {
    const other = await createWorkerHarness();
    await other.db.sql`INSERT INTO error_policies (code, action) VALUES (21408, 'hold')`;
    other.answerWith(() => ({ status: 403, body: { code: 21408, message: 'no', status: 403 } }));
    other.start();
    const message = other.message();
    await other.producers.addIntake([message], 'bulk');
    await waitFor(async () => (await other.row(message.id))?.status === 'held');
    expect(await other.row(message.id)).toMatchObject({ error_code: 21408, attempts: 1 });
    expect(other.twilio.creates).toHaveLength(1);
    await other.redis.dropAll();
    await other.close();
  });
});

it('a throttled message is tried again, as a new attempt of the same message', async () => {
  harness.answerWith((_form, call) => (call === first ? { status: 429, body: { code: 20429, message: 'slow', status: 429 } } : created()));
  const first = harness.twilio.creates.length + 1;
  const id = await sendAndAwait('queued');
  expect(await harness.row(id)).toMatchObject({ attempts: 2 });
  expect(callsFor(id).map((form) => new URL(form.get('StatusCallback') ?? '').searchParams.get('a'))).toEqual(['1', '2']);
});

it('a message whose outcome is unknown is never called again, whatever jobs come for it', async () => {
  harness.answerWith(() => 'reset');
  const id = await sendAndAwait('unknown');
  harness.answerWith(() => created());
  for (let run = 0; run < 3; run++) {
    await harness.producers.addSend([{ id, sender: harness.sender.alias, priority: 'bulk' }]);
    await waitFor(async () => !(await harness.producers.hasSendJobs([{ id, sender: harness.sender.alias }]))[0]);
  }
  expect(callsFor(id)).toHaveLength(1);
  expect(await harness.row(id)).toMatchObject({ status: 'unknown' });
});

it('the call carries id and attempt, and what the message holds', async () => {
  harness.answerWith(() => created());
  const id = await sendAndAwait('queued');
  const form = callsFor(id)[0];
  const url = new URL(form?.get('StatusCallback') ?? '');
  expect([url.searchParams.get('m'), url.searchParams.get('a'), url.pathname]).toEqual([id, '1', '/webhooks/twilio/status']);
  expect(form?.get('From')).toBe(harness.sender.address);
  expect(form?.get('Body')).toMatch(/^body /);
});

it('a message of a stopped sender waits with its job, and leaves when the stop has ended', async () => {
  harness.answerWith(() => created());
  const stop = { scope: 'sender', target: harness.sender.alias, source: 'operator', actor: 'ann' } as const;
  await openStop(harness.db, { ...stop, forMs: null });
  const message = harness.message();
  await harness.producers.addIntake([message], 'bulk');
  await waitFor(() => harness.log.lines().some(({ msg }) => msg === 'sender paused'));
  await waitFor(async () => (await harness.producers.hasSendJobs([message]))[0], { message: 'the job' });
  expect(await harness.row(message.id)).toMatchObject({ status: 'accepted', attempts: 0 });
  await endStop(harness.db, stop);
  await waitFor(async () => (await harness.row(message.id))?.status === 'queued', { message: 'the row to be queued' });
  expect(callsFor(message.id)).toHaveLength(1);
});

it('a message of a stopped campaign loses its job, and a sweep gives it one when the stop has ended', async () => {
  harness.answerWith(() => created());
  const stop = { scope: 'campaign', target: 'summer', source: 'operator', actor: 'ann' } as const;
  await openStop(harness.db, { ...stop, forMs: null });
  const message = harness.message({ campaign: 'summer' });
  await insertAccepted(harness.db, [message]);
  await harness.producers.addSend([message]);
  await waitFor(async () => !(await harness.producers.hasSendJobs([message]))[0], { message: 'the job to end' });
  await endStop(harness.db, stop);
  await sweepOnce(harness.deps);
  await waitFor(async () => (await harness.row(message.id))?.status === 'queued', { message: 'the row to be queued' });
  expect(callsFor(message.id)).toHaveLength(1);
});

it('a message that a guard of the claim ends is counted and never called', async () => {
  const other = await createWorkerHarness();
  other.start({ windowGuard: 'enforce' });
  const message = other.message();
  await other.producers.addIntake([message], 'bulk');
  await waitFor(async () => (await other.row(message.id))?.status === 'failed', { message: 'the row to be failed' });
  expect(await other.row(message.id)).toMatchObject({ error_code: 63016, attempts: 0 });
  await waitFor(async () => (await other.metrics.registry.metrics()).includes('tickmark_message_status_total{status="failed"} 1'));
  expect(await other.metrics.registry.metrics()).toContain('tickmark_message_errors_total{code="63016"');
  expect(other.twilio.creates).toHaveLength(0);
  await other.redis.dropAll();
  await other.close();
});

it('a process that was stopped between claim and call does not call: the row waits again', async () => {
  const other = await createWorkerHarness();
  let stoppedForMs = 0;
  // Each look at the wall clock is six minutes later than the one before, as for a process that was stopped in between.
  const clock: Clock = { now: () => new Date(Date.now() + (stoppedForMs += 360_000)), monotonicMs: systemClock.monotonicMs };
  const message = other.message();
  await insertAccepted(other.db, [message]);
  const late = other.start({ clock });
  await waitFor(async () => (await late.readiness()).ready);
  await other.producers.addSend([{ id: message.id, sender: other.sender.alias, priority: 'bulk' }]);
  await waitFor(() => other.log.text().includes('claim given back'));
  await late.stopTaking(5_000);
  expect(other.twilio.creates).toHaveLength(0);
  expect(await other.row(message.id)).toMatchObject({ status: 'accepted', attempts: 1 });
  await other.redis.dropAll();
  await other.close();
});
