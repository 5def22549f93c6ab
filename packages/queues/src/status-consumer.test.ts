import { randomUUID } from 'node:crypto';
import { waitFor } from '@tickmark/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { queueRoom, type QueueRoom } from './fixtures/queue-room.ts';
import { QUEUES } from './names.ts';
import type { ToldStatus } from './payloads.ts';
import { createStatusConsumer } from './status-consumer.ts';

let room: QueueRoom;
beforeEach(() => {
  room = queueRoom();
});
afterEach(() => room.close());

const told = (): ToldStatus => ({
  id: randomUUID(),
  producer: 'shop',
  status: 'delivered',
  errorCode: null,
  messageSid: null,
  campaign: 'spring',
  retryOf: null,
  at: new Date().toISOString(),
});

test('a consumer gets what was told', async () => {
  const events = [told(), told()];
  expect(await room.producers().addMessageStatus(events)).toBe(true);
  const received: (readonly ToldStatus[])[] = [];
  const consumer = createStatusConsumer({
    redisUrl: room.redisUrl,
    base: room.base,
    log: room.logger.log,
    onStatuses: async (statuses) => void received.push(statuses),
  });
  await waitFor(() => received.length === 1);
  await consumer.close(1_000);
  expect(received).toEqual([events]);
  expect(await room.jobsIn('wait', QUEUES.messageStatus)).toEqual([]);
});

test('no more jobs wait for a consumer than may; there is room again once one was taken', async () => {
  const producers = room.producers({ statusJobsMax: 2 });
  const add = () => producers.addMessageStatus([told()]);
  expect([await add(), await add(), await add()]).toEqual([true, true, false]);
  expect(await room.jobsIn('wait', QUEUES.messageStatus)).toHaveLength(2);
  const received: unknown[] = [];
  const consumer = createStatusConsumer({
    redisUrl: room.redisUrl,
    base: room.base,
    log: room.logger.log,
    onStatuses: async (statuses) => void received.push(...statuses),
  });
  await waitFor(() => received.length === 2);
  expect(await add()).toBe(true);
  await waitFor(() => received.length === 3);
  await consumer.close(1_000);
});
