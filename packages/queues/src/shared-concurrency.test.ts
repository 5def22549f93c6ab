import { waitFor } from '@tickmark/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { queueRoom, type QueueRoom } from './fixtures/queue-room.ts';
import { openProducerConnection, type ProducerConnection } from './producer-connection.ts';
import { createSharedConcurrency, type SharedConcurrency } from './shared-concurrency.ts';

let room: QueueRoom;
let connections: ProducerConnection[];
beforeEach(() => {
  connections = [];
  room = queueRoom();
});
afterEach(async () => {
  for (const connection of connections) await connection.close();
  await room.close();
});

function openProcess(concurrencyMax: number): SharedConcurrency {
  const connection = openProducerConnection({ redisUrl: room.redisUrl, log: room.logger.log, deadlineMs: 1000 });
  connections.push(connection);
  return createSharedConcurrency(connection, room.base, concurrencyMax);
}

const capKey = () => `{${room.base}:concurrency}:cap`;
/** Makes what Redis noted of cut and recovery older. */
const letPass = async (ms: number) => {
  for (const field of ['cutAt', 'countedAt']) await room.redis.hincrby(capKey(), field, -ms);
};

test('without a cut each process has what it is set to, and one that leaves is not counted', async () => {
  const [first, second] = [openProcess(50), openProcess(30)];
  expect(await first.beat()).toEqual({ cap: 50, ceiling: 50, processes: 1 });
  expect(await second.beat()).toEqual({ cap: 80, ceiling: 80, processes: 2 });
  await first.leave();
  expect(await second.beat()).toEqual({ cap: 30, ceiling: 30, processes: 1 });
  expect(await room.redis.exists(capKey())).toBe(0);
});

test('a process that is not heard of for five seconds counts as gone', async () => {
  const [dead, living] = [openProcess(50), openProcess(50)];
  await dead.beat();
  await living.beat();
  const key = `{${room.base}:concurrency}:processes`;
  const [oldest] = await room.redis.zrange(key, '0', '0');
  await room.redis.zincrby(key, -5_001, oldest ?? '');
  expect(await living.beat()).toEqual({ cap: 50, ceiling: 50, processes: 1 });
});

test('a cut halves what all processes share, once within a second whoever asks, and never below one call for each', async () => {
  const [first, second] = [openProcess(50), openProcess(50)];
  await first.beat();
  await second.beat();
  const answers = await Promise.all([first.cut(), second.cut(), first.cut(), second.cut()]);
  expect(answers.map(({ cap }) => cap)).toEqual([50, 50, 50, 50]);
  for (const cap of [25, 12, 6, 3, 2, 2]) {
    await letPass(1_000);
    expect(await second.cut()).toMatchObject({ cap });
  }
});

test('it comes back step by step, as far as the ceiling, however many processes ask', async () => {
  const [first, second] = [openProcess(60), openProcess(60)];
  await first.beat();
  await second.beat();
  expect(await first.cut()).toMatchObject({ cap: 60 });
  await letPass(10_000);
  expect(await first.beat()).toMatchObject({ cap: 80 });
  expect(await second.beat()).toMatchObject({ cap: 80 });
  await letPass(60_000);
  expect(await second.beat()).toEqual({ cap: 120, ceiling: 120, processes: 2 });
  await first.leave();
  expect(await second.beat()).toEqual({ cap: 60, ceiling: 60, processes: 1 });
});

test('it recovers by itself with time', async () => {
  const process = openProcess(8);
  await process.beat();
  const { cap } = await process.cut();
  await waitFor(async () => (await process.beat()).cap > cap);
});

test('what stands in Redis goes away by itself', async () => {
  const process = openProcess(8);
  await process.beat();
  await process.cut();
  const keys = await room.keys();
  expect(keys).toHaveLength(2);
  for (const key of keys) expect(await room.redis.pttl(key)).toBeGreaterThan(0);
});
