import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CancelResult } from '@tickmark/domain';
import { waitFor } from '@tickmark/testing';
import { queueRoom, type QueueRoom } from './fixtures/queue-room.ts';
import { QUEUES } from './names.ts';
import { done } from './outcome.ts';
import { cancelPayloadSchema, type CancelPayload } from './payloads.ts';
import type { Producers } from './producers.ts';
import { createQueueWorker } from './queue-worker.ts';

let room: QueueRoom;
let producers: Producers;
beforeEach(() => {
  room = queueRoom();
  producers = room.producers({ deadlineMs: 20_000 });
});
afterEach(() => room.close());

/** Answers every request as told. */
function startCanceller(decide: (payload: CancelPayload) => CancelResult) {
  return createQueueWorker({
    redisUrl: room.redisUrl,
    base: room.base,
    log: room.logger.log,
    metrics: room.metrics,
    concurrency: 20,
    queue: QUEUES.cancel,
    schema: cancelPayloadSchema,
    processor: async (payload) => {
      await producers.answerCancel(payload.replyTo, decide(payload));
      return done();
    },
  });
}

test('each of many requests at once gets its own answer, also two for one message', async () => {
  const results: CancelResult[] = ['canceled', 'already_sent', 'final', 'not_found'];
  const ids = Array.from({ length: 40 }, (): string => randomUUID());
  const resultOf = (id: string) => results[ids.indexOf(id) % 4] ?? 'final';
  const worker = startCanceller(({ id }) => resultOf(id));
  const asked = [...ids, ...ids];
  const answers = await Promise.all(asked.map((id) => producers.requestCancel({ id, producer: 'shop' }, 20_000)));
  expect(answers).toEqual(asked.map(resultOf));
  await worker.close(1_000);
});

test('a request that nobody answers in time stands all the same, and says by when an answer was wanted', async () => {
  const id = randomUUID();
  expect(await producers.requestCancel({ id, producer: 'shop' }, 50)).toBeNull();
  const seen: CancelPayload[] = [];
  const worker = startCanceller((payload) => {
    seen.push(payload);
    return 'canceled';
  });
  await waitFor(() => seen.length === 1);
  await worker.close(1_000);
  const [{ requestedAt, answerBy, ...request } = {} as CancelPayload] = seen;
  expect(request).toEqual({ v: 1, id, producer: 'shop', replyTo: expect.any(String) });
  expect(Date.parse(answerBy) - Date.parse(requestedAt)).toBe(50);
});

test('an answer goes away by itself', async () => {
  const replyTo = randomUUID();
  await producers.answerCancel(replyTo, 'canceled');
  const seconds = await room.redis.ttl(`${room.base}:cancel:${replyTo}`);
  expect(seconds).toBeGreaterThan(0);
  expect(seconds).toBeLessThanOrEqual(60);
});
