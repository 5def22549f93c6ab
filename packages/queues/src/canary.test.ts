import { waitFor } from '@tickmark/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startCanary, type Canary } from './canary.ts';
import { queueRoom, type QueueRoom } from './fixtures/queue-room.ts';
import { redisGate, type RedisGate } from './fixtures/redis-gate.ts';

const INTERVAL_MS = 50;

let room: QueueRoom;
let gate: RedisGate;
let canaries: Canary[];
beforeEach(async () => {
  canaries = [];
  room = queueRoom();
  gate = await redisGate(room.redisUrl);
});
afterEach(async () => {
  await Promise.all(canaries.map((canary) => canary.close(1000)));
  await room.close();
  await gate.shut();
});

function start(redisUrl = room.redisUrl): Canary {
  const canary = startCanary({ redisUrl, base: room.base, log: room.logger.log, metrics: room.metrics, intervalMs: INTERVAL_MS });
  canaries.push(canary);
  return canary;
}

/** Waits until a canary ran after this moment. */
async function ranAgain(canary: Canary): Promise<void> {
  const startMs = performance.now();
  await waitFor(() => canary.lastRunAgeMs() < performance.now() - startMs);
}

test('while this process runs jobs its canary is young, and the gauge says so', async () => {
  const canary = start();
  await ranAgain(canary);
  await ranAgain(canary);
  const gauge = async () => Number(/tickmark_canary_age_seconds\{queue="canary"\} (\S+)/.exec(await room.metrics.registry.metrics())?.[1]);
  await waitFor(async () => (await gauge()) > 0 && (await gauge()) < 5);
});

test('every process has a canary queue of its own, whose jobs no other can take', async () => {
  await Promise.all([start(), start()].map(ranAgain));
  const names = (await room.keys()).map((key) => key.split(':').at(2));
  expect(new Set(names).size).toBe(2);
});

test('a canary that is cut off grows old although that of another process goes on, and recovers with its connection', async () => {
  await gate.open();
  const [cutOff, other] = [start(gate.url), start()];
  await ranAgain(cutOff);
  await gate.shut();
  await waitFor(() => cutOff.lastRunAgeMs() > INTERVAL_MS * 10);
  await ranAgain(other);
  expect(cutOff.lastRunAgeMs()).toBeGreaterThan(INTERVAL_MS * 10);
  await gate.open();
  await waitFor(() => cutOff.lastRunAgeMs() < INTERVAL_MS * 4);
});

test('what a killed process leaves of its canary queue goes away by itself', async () => {
  const canary = start();
  await ranAgain(canary);
  await ranAgain(canary);
  await waitFor(async () => {
    const keys = await room.keys();
    const lives = await Promise.all(keys.map((key) => room.redis.pttl(key)));
    return keys.length > 0 && lives.every((life) => life !== -1);
  });
  for (const key of await room.keys()) expect(key.startsWith(`{${room.base}:canary}:canary-`)).toBe(true);
});

test('closing removes its queue, with Redis, and ends in time without it', async () => {
  const canary = start();
  await ranAgain(canary);
  await canary.close(1000);
  expect((await room.keys()).filter((key) => !key.endsWith(':stalled-check'))).toEqual([]);

  const absent = start(gate.url);
  const startMs = performance.now();
  await absent.close(1000);
  expect(performance.now() - startMs).toBeLessThan(2500);
});
