import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { queueRoom, type QueueRoom } from './fixtures/queue-room.ts';
import type { Producers } from './producers.ts';

let room: QueueRoom;
let producers: Producers;
beforeEach(() => {
  room = queueRoom();
  producers = room.producers();
});
afterEach(() => room.close());

const report = (waiting: number, takenOver: string[] = [], instance = 'one') => producers.reportSpool({ instance, waiting, takenOver });

/** As if the last report had come that long ago. */
async function letPass(seconds: number, instance = 'one'): Promise<void> {
  const key = `${room.base}:spools`;
  const [waiting, at] = ((await room.redis.hget(key, instance)) ?? '').split('@');
  await room.redis.hset(key, instance, `${waiting}@${Number(at) - seconds}`);
}

describe('events may be on the disk of an ingress', () => {
  test('that says so, also long after it has ended', async () => {
    await report(0, [], 'another');
    await report(3);
    expect(await producers.mayBeSpooled()).toBe(true);
    await letPass(80_000);
    expect(await producers.mayBeSpooled()).toBe(true);
  });

  test('that has not been heard of for longer than 20 s', async () => {
    await report(0);
    await letPass(30);
    expect(await producers.mayBeSpooled()).toBe(true);
    await report(0);
    expect(await producers.mayBeSpooled()).toBe(false);
  });
});

describe('none are', () => {
  test('when all say that nothing waits, or none ever said anything', async () => {
    expect(await producers.mayBeSpooled()).toBe(false);
    await report(0);
    await report(0, [], 'another');
    expect(await producers.mayBeSpooled()).toBe(false);
  });

  test('when another process has taken over and delivered what waited', async () => {
    await report(3);
    await report(0, ['one'], 'heir');
    expect(await producers.mayBeSpooled()).toBe(false);
  });

  test('when the process has ended and left nothing', async () => {
    await report(0);
    await letPass(30);
    await producers.forgetSpool('one');
    expect(await producers.mayBeSpooled()).toBe(false);
  });

  test('on a disk that nobody has taken over for a day', async () => {
    await report(3);
    await letPass(86_500);
    expect(await producers.mayBeSpooled()).toBe(false);
  });
});
