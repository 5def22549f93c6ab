import { inboundMessage, waitFor } from '@tickmark/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { queueRoom, type QueueRoom } from './fixtures/queue-room.ts';
import { createInboundConsumer } from './inbound-consumer.ts';
import { QUEUES } from './names.ts';
import type { InboundMessagePayload } from './payloads.ts';
import { queueKey } from './queue-set.ts';

let room: QueueRoom;
const closers: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  room = queueRoom();
});
afterEach(async () => {
  await Promise.all(closers.splice(0).map((close) => close()));
  await room.close();
});

type Received = Omit<InboundMessagePayload, 'v'>;

function consume(onMessage: (received: Received) => Promise<void>) {
  const { redisUrl, base, logger } = room;
  const consumer = createInboundConsumer({ redisUrl, base, log: logger.log, onMessage });
  closers.push(() => consumer.close(1_000));
}

const handed = (): Received => ({ message: inboundMessage(), optOut: null });
const waiting = () => room.jobsIn('wait', QUEUES.inboundMessage);

describe('messages that are handed to consumers', () => {
  it('come as they were stored, each once although it was added three times', async () => {
    const producers = room.producers();
    const batch = [handed(), { ...handed(), optOut: 'stop' as const }];
    for (let times = 0; times < 3; times += 1) expect(await producers.addInboundMessages(batch)).toBe(2);
    expect((await waiting()).toSorted()).toEqual(batch.map(({ message }) => message.messageSid).toSorted());
    const received: Received[] = [];
    consume((one) => Promise.resolve(void received.push(one)));
    await waitFor(async () => received.length === 2 && (await waiting()).length === 0);
    expect(received).toEqual(expect.arrayContaining(batch));
  });

  it('can be added again once they were consumed', async () => {
    const producers = room.producers();
    const one = handed();
    const received: Received[] = [];
    consume((again) => Promise.resolve(void received.push(again)));
    await producers.addInboundMessages([one]);
    await waitFor(() => received.length === 1);
    const key = queueKey(room.base, QUEUES.inboundMessage, one.message.messageSid);
    await waitFor(async () => (await room.redis.exists(key)) === 0);
    await producers.addInboundMessages([one]);
    await waitFor(() => received.length === 2);
  });

  it('come again after a consumer threw', async () => {
    let calls = 0;
    consume(() => ((calls += 1) === 1 ? Promise.reject(new Error('no')) : Promise.resolve()));
    await room.producers().addInboundMessages([handed()]);
    await waitFor(() => calls === 2, { timeoutMs: 20_000 });
  }, 25_000);

  it('fill Redis no further than to the bound; the caller is told how many there was room for', async () => {
    const producers = room.producers({ handedOverMax: 3 });
    expect(await producers.addInboundMessages([handed(), handed()])).toBe(2);
    const more = [handed(), handed()];
    expect(await producers.addInboundMessages(more)).toBe(1);
    expect(await producers.addInboundMessages(more)).toBe(0);
    expect(await waiting()).toContain(more[0]?.message.messageSid);
    expect(await waiting()).toHaveLength(3);
  });

  it.each(['4711', 'a:b', 'SM:1:2'])('are taken also with the sid "%s", which BullMQ takes for no id', async (messageSid) => {
    const message = inboundMessage({ messageSid });
    expect(await room.producers().addInboundMessages([{ message, optOut: null }])).toBe(1);
    expect(await waiting()).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
  });
});
