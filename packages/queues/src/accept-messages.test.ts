import { randomUUID } from 'node:crypto';
import { AppError, type AcceptedMessage } from '@tickmark/domain';
import { systemClock } from '@tickmark/runtime';
import { acceptedMessage } from '@tickmark/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createMessageAcceptor, type MessageAcceptorDeps } from './accept-messages.ts';
import { queueRoom, type QueueRoom } from './fixtures/queue-room.ts';

let room: QueueRoom;
beforeEach(() => {
  room = queueRoom();
});
afterEach(() => room.close());

/** A machine that runs many tests at once may be slow. */
const PATIENT = { markerMs: 20_000, commitMs: 20_000 };

function acceptorOf(producers: Partial<MessageAcceptorDeps['producers']> = {}, deadlines = PATIENT) {
  const { metrics, logger } = room;
  const real = room.producers({ deadlineMs: 20_000 });
  return createMessageAcceptor({ producers: { ...real, ...producers }, metrics, clock: systemClock, log: logger.log, deadlines });
}

const item = (values: Partial<AcceptedMessage> = {}, keyGiven = true) => ({ message: acceptedMessage(values), keyGiven });

/** The code of a refusal; true of an acceptance. */
function codeOf(settled: object | undefined): unknown {
  const { ok, error } = settled as { ok: boolean; error?: unknown };
  return error instanceof AppError ? error.code : ok;
}

test('a repeat is told, whether it comes in the same call or later, and goes through the queue all the same', async () => {
  const acceptor = acceptorOf();
  const [first, second] = [item(), item({ sendAt: new Date(Date.now() + 60_000).toISOString() })];
  const answers = await acceptor.acceptAll([first, second, first]);
  expect(answers).toEqual([
    { ok: true, value: { id: first.message.id, status: 'accepted', replayed: false } },
    { ok: true, value: { id: second.message.id, status: 'scheduled', replayed: false } },
    { ok: true, value: { id: first.message.id, status: 'accepted', replayed: true } },
  ]);
  expect(await acceptor.accept(first)).toMatchObject({ replayed: true });
  // The last one met its like, which waits.
  expect((await room.intake()).map(({ id }) => id)).toEqual([first, second, first].map(({ message }) => message.id));
});

test('a key that comes with another request is refused, counted and not queued; the others of the call are accepted', async () => {
  const acceptor = acceptorOf();
  const used = item();
  const fresh = [item(), item({}, false)];
  await acceptor.accept(used);
  const other = item({ id: used.message.id });
  const answers = await acceptor.acceptAll([...fresh, other, used]);
  expect(answers.map(codeOf)).toEqual([true, true, 'IDEMPOTENCY_KEY_REUSED', true]);
  expect(answers[2]).toMatchObject({ error: { details: { id: used.message.id } } });
  expect((await room.metrics.idempotencyConflicts.get()).values[0]?.value).toBe(1);
  expect((await room.intake()).map(({ body }) => body)).not.toContain(other.message.body);
});

test('without a key nothing is marked', async () => {
  await acceptorOf().accept(item({}, false));
  expect((await room.keys()).filter((key) => key.includes('idempotency'))).toEqual([]);
});

test('a request that is marked as a whole is recognised, and refused with other content', async () => {
  const acceptor = acceptorOf();
  const mark = { id: randomUUID(), producer: 'shop', requestHash: 'a' };
  await acceptor.markRequest(mark);
  await acceptor.markRequest(mark);
  await expect(acceptor.markRequest({ ...mark, requestHash: 'b' })).rejects.toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED' });
});

test('a message whose marker was written but whose add was lost is queued by its repeat', async () => {
  const lost = item();
  const failing = acceptorOf({ addIntake: () => new Promise(() => undefined) }, { ...PATIENT, commitMs: 50 });
  await expect(failing.accept(lost)).rejects.toMatchObject({ code: 'ACCEPTANCE_UNKNOWN', details: { id: lost.message.id } });
  expect(await room.intake()).toEqual([]);
  expect(await acceptorOf().accept(lost)).toEqual({ id: lost.message.id, status: 'accepted', replayed: true });
  expect(await room.intake()).toEqual([lost.message]);
});

test('a queue that does not answer leaves what was begun unknown, and what was not begun certainly not accepted', async () => {
  const acceptor = acceptorOf({ addIntake: () => new Promise(() => undefined) }, { ...PATIENT, commitMs: 50 });
  const begun = acceptor.acceptAll([item()]);
  const [waiting] = await acceptor.acceptAll([item()]);
  expect([codeOf((await begun)[0]), codeOf(waiting)]).toEqual(['ACCEPTANCE_UNKNOWN', 'QUEUE_UNAVAILABLE']);
});

test('a marker that does not come leaves its message certainly not accepted; one without a key needs none', async () => {
  const acceptor = acceptorOf({ markIdempotent: () => new Promise(() => undefined) }, { ...PATIENT, markerMs: 50 });
  const free = item({}, false);
  expect((await acceptor.acceptAll([item(), free])).map(codeOf)).toEqual(['QUEUE_UNAVAILABLE', true]);
  expect(await room.intake()).toEqual([free.message]);
});

test('a message that is larger than a whole job may be is refused alone', async () => {
  const variables = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`v${index}`, '√'.repeat(1_000)]));
  const [large, small] = await acceptorOf().acceptAll([item({ contentVariables: variables }), item()]);
  expect([codeOf(large), codeOf(small)]).toEqual(['PAYLOAD_TOO_LARGE', true]);
});

test('a job of long messages is bounded by its bytes', async () => {
  const jobs: number[] = [];
  const addIntake = (messages: readonly AcceptedMessage[]) => {
    jobs.push(Buffer.byteLength(JSON.stringify(messages)));
    return new Promise<void>((resolve) => setImmediate(resolve));
  };
  const acceptor = acceptorOf({ addIntake });
  await acceptor.acceptAll(Array.from({ length: 300 }, () => item({ body: '👋🏽'.repeat(800) }, false)));
  expect(jobs.length).toBeGreaterThan(7);
  for (const bytes of jobs) expect(bytes).toBeLessThanOrEqual(262_144 * 1.01);
});
