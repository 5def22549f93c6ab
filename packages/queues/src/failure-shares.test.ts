import { randomBody } from '@tickmark/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { queueRoom, type QueueRoom } from './fixtures/queue-room.ts';
import { createFailureShares, type FailureShares } from './failure-shares.ts';
import { openProducerConnection, type ProducerConnection } from './producer-connection.ts';

let room: QueueRoom;
let connection: ProducerConnection;
let shares: FailureShares;
beforeEach(() => {
  room = queueRoom();
  connection = openProducerConnection({ redisUrl: room.redisUrl, log: room.logger.log, deadlineMs: 10_000 });
  shares = createFailureShares(connection, room.base);
});
afterEach(async () => {
  await connection.close();
  await room.close();
});

test('adds up what several processes counted in the last five minutes, each thing for itself', async () => {
  expect(await shares.count([{ key: 'campaign spring', finals: 10, failures: 2 }])).toEqual([
    { key: 'campaign spring', finals: 10, failures: 2 },
  ]);
  const [key] = await room.keys();
  const minute = Number(/:(\d+)$/.exec(key ?? '')?.[1]);
  await room.redis.rename(key ?? '', (key ?? '').replace(String(minute), String(minute - 3)));
  const other = createFailureShares(connection, room.base);
  expect(
    await other.count([
      { key: 'template HX1', finals: 3, failures: 0 },
      { key: 'campaign spring', finals: 5, failures: 5 },
    ]),
  ).toEqual([
    { key: 'template HX1', finals: 3, failures: 0 },
    { key: 'campaign spring', finals: 15, failures: 7 },
  ]);
  await room.redis.del((key ?? '').replace(String(minute), String(minute - 3)));
  expect(await shares.count([{ key: 'campaign spring', finals: 0, failures: 0 }])).toMatchObject([{ finals: 5, failures: 5 }]);
});

test('keeps no name, and nothing for longer than it is looked at', async () => {
  const key = randomBody();
  await shares.count([{ key, finals: 1, failures: 1 }]);
  const [hash] = await room.keys();
  expect(Object.keys(await room.redis.hgetall(hash ?? '')).join()).not.toContain(key);
  expect(await room.redis.ttl(hash ?? '')).toBeGreaterThan(290);
});

test('begins anew for one thing when it is told to, in every minute', async () => {
  await shares.count([
    { key: 'campaign spring', finals: 10, failures: 2 },
    { key: 'template HX1', finals: 3, failures: 1 },
  ]);
  const [hash] = await room.keys();
  const minute = Number(/:(\d+)$/.exec(hash ?? '')?.[1]);
  await room.redis.rename(hash ?? '', (hash ?? '').replace(String(minute), String(minute - 2)));
  await shares.forget('campaign spring');
  const nothing = { finals: 0, failures: 0 };
  expect(
    await shares.count([
      { key: 'campaign spring', ...nothing },
      { key: 'template HX1', ...nothing },
    ]),
  ).toMatchObject([nothing, { finals: 3, failures: 1 }]);
});
