import { randomUUID } from 'node:crypto';
import { claimForSending, insertAccepted, insertDeadLetter, listDeadLetters, requestRetry } from '@tickmark/delivery';
import { newMessageId } from '@tickmark/domain';
import { inboundMessage, randomSid, statusEvent, waitFor } from '@tickmark/testing';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import { returnDeadLetters } from './return-dead-letters.ts';

const OPERATOR = { actor: 'ann', reason: 'mended' };

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
  // Passes are made by the tests.
  harness.start({ sweepIntervalMs: 3_600_000 });
});
afterEach(() => harness.db.sql`DELETE FROM dead_letters`);
afterAll(() => harness.close());

const letters = () => listDeadLetters(harness.db, { queue: null, limit: 10 });

const failures = () => harness.log.lines().filter((line) => String(line['msg']).endsWith('kept as a dead letter')).length;

async function keep(queue: string, payload: unknown): Promise<void> {
  await insertDeadLetter(harness.db, { queue, jobId: `${randomUUID()}/0`, payload, reason: 'it was too large' });
}

async function retryAll(): Promise<void> {
  await requestRetry(harness.db, { ids: null, queue: null }, OPERATOR);
}

async function claimed() {
  const message = harness.message();
  await insertAccepted(harness.db, [message]);
  const token = randomUUID();
  await claimForSending(harness.db, [{ id: message.id, token }], { account: '0123456789abcdef', windowGuard: 'off' });
  return { ...message, token };
}

it('a letter of every queue that keeps some is carried out, and gone', async () => {
  const [message, status, inbound, call] = [harness.message(), statusEvent(), inboundMessage(), await claimed()];
  const outcome = { kind: 'accepted', messageSid: randomSid(), rawStatus: 'queued', httpStatus: 201, errorCode: null, requestId: null };
  await keep('intake', message);
  await keep('status-callback', status);
  await keep('inbound', inbound);
  await keep('send-outcome', { v: 1, id: call.id, token: call.token, attempt: 1, outcome, sender: call.sender, priority: call.priority });
  await retryAll();
  expect(await returnDeadLetters({ ...harness.deps, db: harness.db })).toBe(4);
  expect(await letters()).toEqual([]);
  await waitFor(() => harness.row(message.id));
  await waitFor(async () => (await harness.row(call.id))?.message_sid === outcome.messageSid);
  const { sql } = harness.db;
  await waitFor(async () => (await sql`SELECT FROM message_status_logs WHERE message_sid = ${status.messageSid}`).length === 1);
  await waitFor(async () => (await sql`SELECT FROM inbound_messages WHERE message_sid = ${inbound.messageSid}`).length === 1);
});

it('stays where it is until an operator asks', async () => {
  await keep('status-callback', statusEvent());
  expect(await returnDeadLetters(harness.deps)).toBe(0);
  expect(await letters()).toMatchObject([{ retryRequestedAt: null }]);
});

it('one that fails again is kept again, under another number, also when it was given back twice', async () => {
  await keep('status-callback', statusEvent({ errorCode: 3_000_000_000 }));
  const [first] = await letters();
  await retryAll();
  // The worker that gives it back dies before it deletes the letter.
  await harness.deps.producers.addDeadLetter({ id: first?.id ?? 0, queue: 'status-callback', item: await payloadOf(first?.id) });
  await waitFor(async () => (await letters()).length === 2);
  await returnDeadLetters(harness.deps);
  // Both runs of it are over.
  await waitFor(() => failures() === 2);
  const kept = await letters();
  expect(kept).toMatchObject([
    { queue: 'status-callback', reason: expect.stringContaining('3000000000'), messageSid: first?.messageSid, retryRequestedAt: null },
  ]);
  expect(kept[0]?.id).toBeGreaterThan(first?.id ?? Infinity);
});

it('a letter is never given up before its queue has it', async () => {
  await keep('status-callback', statusEvent());
  await retryAll();
  const away = { addDeadLetter: () => Promise.reject(new Error('Redis is away')) };
  await expect(returnDeadLetters({ ...harness.deps, producers: away })).rejects.toThrow('Redis is away');
  expect(await letters()).toMatchObject([{ retryRequestedAt: expect.any(String) }]);
});

it('a payload that this release does not understand stays, with the reason, and is not tried in a loop', async () => {
  const id = newMessageId();
  await keep('intake', { id, written: 'by another release' });
  await keep('a queue of another release', {});
  await retryAll();
  expect(await returnDeadLetters(harness.deps)).toBe(0);
  const refused = { retryRequestedAt: null, reason: expect.stringContaining('does not understand') };
  expect(await letters()).toMatchObject([{ ...refused, messageId: id }, refused]);
});

it('one that is too large for its queue stays, with the reason, and keeps no other back', async () => {
  const details = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`Detail${index}`, 'x'.repeat(16_000)]));
  await keep('inbound', inboundMessage({ details }));
  await keep('inbound', inboundMessage());
  await retryAll();
  expect(await returnDeadLetters(harness.deps)).toBe(1);
  expect(await letters()).toMatchObject([{ retryRequestedAt: null, reason: expect.stringContaining('exceeds 524288 bytes') }]);
});

async function payloadOf(id: number | undefined): Promise<unknown> {
  const [row] = await harness.db.sql`SELECT payload FROM dead_letters WHERE id = ${id ?? 0}`;
  return row?.['payload'];
}
