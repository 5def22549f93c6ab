import { acceptedMessage, inboundMessage, randomPhone, statusEvent } from '@tickmark/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { queueRoom, type QueueRoom } from './fixtures/queue-room.ts';
import { QUEUES, type QueueName } from './names.ts';
import type { Producers } from './producers.ts';
import { queueKey } from './queue-set.ts';

let room: QueueRoom;
let producers: Producers;
let phone: string;
beforeEach(() => {
  room = queueRoom();
  producers = room.producers({ deadlineMs: 20_000 });
  phone = randomPhone();
});
afterEach(() => room.close());

const erase = (dryRun = false) => producers.erase(new RegExp(phone.slice(1)), { dryRun });

async function payloads(queue: QueueName): Promise<unknown[]> {
  const jobs = await Promise.all((await room.jobsIn('wait', queue)).map((id) => room.redis.hget(queueKey(room.base, queue, id), 'data')));
  return jobs.map((data) => JSON.parse(data ?? '') as unknown);
}

it('takes what is from or to the person out of waiting batches, and loses nothing of others, whatever they quote', async () => {
  const address = `whatsapp:${phone}`;
  const quoting = acceptedMessage({ body: `call ${phone}` });
  const [plain, written] = [acceptedMessage(), inboundMessage({ body: `I am at ${phone}` })];
  await producers.addIntake([acceptedMessage({ recipient: address }), plain], 'bulk');
  await producers.addIntake([acceptedMessage({ recipient: address }), quoting], 'bulk');
  await producers.addInbound([inboundMessage({ from: address }), written]);
  await producers.addStatusEvents([statusEvent({ to: address })]);
  expect(await erase(true)).toMatchObject({ found: 4, left: 0 });

  const first = await erase();
  // What is left of a batch is a key of its own, which the same walk over the keys may or may not come to.
  expect([4, 5, 6]).toContain(first.found);
  expect(first.left).toBe(first.found - 2);
  expect(await room.intake()).toHaveLength(2);
  expect(await room.intake()).toEqual(expect.arrayContaining([plain, quoting]));
  expect(await payloads(QUEUES.inbound)).toEqual([{ v: 1, messages: [written] }]);
  expect(await payloads(QUEUES.statusCallback)).toEqual([]);
  // A row has to tell first what becomes of them.
  expect(await erase()).toMatchObject({ found: 2, left: 2 });
  expect(await room.intake()).toEqual(expect.arrayContaining([plain, quoting]));
});

it('blots the person out of what consumers were not handed yet, and drops what the person wrote', async () => {
  const message = inboundMessage({ body: `"${phone}" it is` });
  const own = inboundMessage({ from: `whatsapp:${phone}` });
  await producers.addInboundMessages([
    { message, optOut: null },
    { message: own, optOut: null },
  ]);
  expect(await erase()).toMatchObject({ found: 2, left: 0 });
  expect(await payloads(QUEUES.inboundMessage)).toEqual([{ v: 1, message: { ...message, body: '"+0" it is' }, optOut: null }]);
  expect(await erase(true)).toMatchObject({ found: 0 });
});

it('finds the person in values of every form', async () => {
  const { redis, base } = room;
  const filler = Array.from({ length: 12_000 }, (_, index) => `x${index}`);
  await redis.rpush(`${base}:a`, ...filler, phone);
  await redis.sadd(`${base}:b`, ...filler, phone);
  await redis.zadd(`${base}:c`, ...filler.flatMap((name, index) => [index, name]), 1, phone);
  await redis.set(`${base}:d`, phone);
  await redis.set(`${base}:${phone}`, 'e');
  expect(await erase()).toMatchObject({ found: 5, left: 5 });
});
