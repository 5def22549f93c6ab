import { afterEach, beforeEach, expect, test } from 'vitest';
import { queueRoom, SEND_QUEUE, SENDER, type QueueRoom } from './fixtures/queue-room.ts';
import { queueKey } from './queue-set.ts';

let room: QueueRoom;
beforeEach(() => {
  room = queueRoom();
});
afterEach(() => room.close());

const EPOCH = () => `${room.base}:epoch`;

test('all who read the epoch at once are told the same one, and it stays', async () => {
  const [one, other] = [room.producers(), room.producers()];
  const read = await Promise.all(Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? one : other).readEpoch()));
  expect(new Set(read).size).toBe(1);
  expect(await room.redis.get(EPOCH())).toBe(read[0]);
});

test('a wiped Redis has another epoch', async () => {
  const producers = room.producers();
  const before = await producers.readEpoch();
  await room.redis.del(EPOCH());
  expect(await producers.readEpoch()).not.toBe(before);
});

test('only the epoch that is meant is renewed, so that a wipe in between is noticed', async () => {
  const producers = room.producers();
  const first = await producers.readEpoch();
  const second = await producers.renewEpoch(first);
  expect(second).not.toBe(first);
  expect(await producers.renewEpoch(first)).toBeNull();
  expect(await producers.readEpoch()).toBe(second);
  await room.redis.del(EPOCH());
  expect(await producers.renewEpoch(second ?? '')).toBeNull();
});

test('the bound of the event streams is told again to a Redis that forgot it', async () => {
  const producers = room.producers();
  const meta = queueKey(room.base, SEND_QUEUE, 'meta');
  await producers.addSend([{ id: 'a', sender: SENDER, priority: 'bulk' }]);
  const bound = await room.redis.hget(meta, 'opts.maxLenEvents');
  await room.redis.del(meta);
  await producers.assertQueues([SEND_QUEUE]);
  expect(await room.redis.hget(meta, 'opts.maxLenEvents')).toBe(bound);
  expect(bound).toBe('100');
});
