import { randomUUID } from 'node:crypto';
import { waitFor } from '@tickmark/testing';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { queueRoom, SEND_QUEUE, SENDER, type QueueRoom } from './fixtures/queue-room.ts';
import { done } from './outcome.ts';
import { openProducerConnection, type ProducerConnection } from './producer-connection.ts';
import { queueKey } from './queue-set.ts';
import { createSenderPace, paceWindow, type SenderPace } from './sender-pace.ts';

describe('the window of a pace', () => {
  it.each([
    [80, 8, 100],
    [400, 40, 100],
    [25, 2, 80],
    [85, 8, 95],
    [5, 1, 200],
    [3, 1, 334],
    [0.5, 1, 2000],
    [1e9, 1e8, 100],
  ])('%f messages per second are %i in %i ms', (mps, max, durationMs) => {
    expect(paceWindow(mps)).toEqual({ max, durationMs });
  });

  it('is never faster than the pace, and shows a second at most a quarter too many', () => {
    for (let mps = 0.1; mps < 1000; mps *= 1.07) {
      const { max, durationMs } = paceWindow(mps);
      expect((1000 * max) / durationMs).toBeLessThanOrEqual(mps);
      const secondTouches = Math.floor((1000 + durationMs - 1) / durationMs);
      if (mps >= 10) expect(secondTouches * max).toBeLessThanOrEqual(1.25 * mps);
    }
  });
});

let room: QueueRoom;
let connection: ProducerConnection;
let pace: SenderPace;
beforeEach(() => {
  room = queueRoom();
  connection = openProducerConnection({ redisUrl: room.redisUrl, log: room.logger.log, deadlineMs: 1000 });
  pace = createSenderPace(connection, room.base);
});
afterEach(async () => {
  await connection.close();
  await room.close();
});

/** Workers of one queue that note when they were given a job. */
function startWorkers(count: number): number[] {
  const runsMs: number[] = [];
  for (let worker = 0; worker < count; worker += 1) {
    room.worker({
      concurrency: 10,
      processor: () => {
        runsMs.push(performance.now());
        return Promise.resolve(done());
      },
    });
  }
  return runsMs;
}

const addJobs = (count: number) =>
  room.producers().addSend(Array.from({ length: count }, () => ({ id: randomUUID(), sender: SENDER, priority: 'bulk' as const })));

const lasted = (runsMs: number[], from: number, to: number) => (runsMs[to] ?? 0) - (runsMs[from] ?? 0);

test('holds over several workers together, and a change holds for the next messages', async () => {
  await pace.assert([{ alias: SENDER, mps: 40 }]);
  await addJobs(100);
  const runsMs = startWorkers(3);
  await waitFor(() => runsMs.length >= 30);
  // Four in each 100 ms: the 29th is in the eighth window, which begins at least 700 ms after the first.
  expect(lasted(runsMs, 0, 28)).toBeGreaterThan(450);
  await pace.assert([{ alias: SENDER, mps: 10 }]);
  const changedAt = runsMs.length;
  await waitFor(() => runsMs.length >= changedAt + 10);
  // One in each 100 ms, after those that were on their way.
  expect(lasted(runsMs, changedAt + 4, changedAt + 9)).toBeGreaterThan(300);
  await pace.assert([{ alias: SENDER, mps: 1000 }]);
  await waitFor(() => runsMs.length === 100);
});

test('a sender that rests is given no message, by no worker, until the rest is over', async () => {
  await pace.assert([{ alias: SENDER, mps: 500 }]);
  const runsMs = startWorkers(2);
  await addJobs(1);
  await waitFor(() => runsMs.length === 1);
  const restedMs = performance.now();
  await pace.rest(SENDER, 700);
  await addJobs(5);
  await waitFor(() => runsMs.length === 6);
  expect((runsMs[1] ?? 0) - restedMs).toBeGreaterThan(650);
});

test('a pace that is there is kept when one is asked for in case there is none', async () => {
  const key = queueKey(room.base, SEND_QUEUE, 'meta');
  await pace.assertIfNone([{ alias: SENDER, mps: 10 }]);
  expect(await room.redis.hget(key, 'max')).toBe('1');
  await pace.assert([{ alias: SENDER, mps: 80 }]);
  await pace.assertIfNone([{ alias: SENDER, mps: 10 }]);
  expect(await room.redis.hget(key, 'max')).toBe('8');
});

test('a pace that is said again while messages are handed out lets none more through', async () => {
  await pace.assert([{ alias: SENDER, mps: 20 }]);
  await addJobs(21);
  const runsMs = startWorkers(2);
  while (runsMs.length < 21) await pace.assert([{ alias: SENDER, mps: 20 }]);
  expect(lasted(runsMs, 0, 20)).toBeGreaterThan(700);
});
