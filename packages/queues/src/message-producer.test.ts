import { randomUUID } from 'node:crypto';
import { messageIdFor } from '@tickmark/domain';
import { freePort, randomBody, randomPhone } from '@tickmark/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { queueRoom, type QueueRoom } from './fixtures/queue-room.ts';
import { createMessageProducer, type MessageProducer, type MessageProducerOptions } from './message-producer.ts';

/** A machine that runs many tests at once may be slow. */
const PATIENT = { redisMs: 20_000, markerMs: 20_000, commitMs: 20_000, cancelMs: 50 };

let room: QueueRoom;
const open: MessageProducer[] = [];
beforeEach(() => {
  room = queueRoom();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((producer) => producer.close()));
  await room.close();
});

function start(options: Partial<MessageProducerOptions> = {}): MessageProducer {
  const senders = [{ alias: 'support', address: `whatsapp:${randomPhone()}`, mps: 80 }];
  const { redisUrl, base, logger } = room;
  const given = { redisUrl, base, senders, producer: 'billing', mode: 'simulator' as const, log: logger.log, deadlines: PATIENT };
  const producer = createMessageProducer({ ...given, ...options });
  open.push(producer);
  return producer;
}

const message = () => ({ to: randomPhone(), body: randomBody() });
const refused = (code: string) => expect.objectContaining({ name: 'AppError', code }) as Error;

test('a message is in the queue when it is answered, under the id that HTTP derives from the same name and key', async () => {
  const asked = message();
  const producer = start();
  const answer = await producer.send({ ...asked, priority: 'transactional' }, { idempotencyKey: 'order-1' });
  expect(answer).toEqual({ id: messageIdFor('billing', 'order-1'), status: 'accepted', replayed: false });
  expect(await room.intake()).toMatchObject([{ id: answer.id, producer: 'billing', recipient: `whatsapp:${asked.to}`, sender: 'support' }]);
  expect(await producer.send({ ...asked, priority: 'transactional' }, { idempotencyKey: 'order-1' })).toEqual({
    ...answer,
    replayed: true,
  });
  await expect(producer.send(message(), { idempotencyKey: 'order-1' })).rejects.toThrow(refused('IDEMPOTENCY_KEY_REUSED'));
});

test('a message without a key is given one, under which it can be repeated', async () => {
  const producer = start();
  const asked = { ...message(), sendAt: new Date(Date.now() + 60_000).toISOString() };
  const first = await producer.send(asked);
  expect(first).toMatchObject({ status: 'scheduled', replayed: false });
  expect(await producer.send(asked, { idempotencyKey: `id:${first.id}` })).toEqual({ ...first, replayed: true });
  expect((await producer.send(asked)).id).not.toBe(first.id);
});

test('what HTTP refuses is refused with the same code and queued by nobody', async () => {
  const producer = start();
  await expect(producer.send({ ...message(), to: '12' })).rejects.toThrow(refused('INVALID_RECIPIENT'));
  await expect(producer.send({ ...message(), from: 'nobody' })).rejects.toThrow(refused('UNKNOWN_SENDER'));
  await expect(producer.send({ ...message(), validityPeriod: 0 })).rejects.toThrow(refused('VALIDATION_FAILED'));
  await expect(producer.send(message(), { idempotencyKey: '' })).rejects.toThrow(refused('VALIDATION_FAILED'));
  await expect(start({ mode: 'sandbox' }).send(message())).rejects.toThrow(refused('RECIPIENT_NOT_ALLOWED'));
  expect(await room.intake()).toEqual([]);
});

test('in the sandbox the allowed recipients are written to, however they are written', async () => {
  const asked = message();
  expect(await start({ mode: 'sandbox', allowedRecipients: [asked.to] }).send(asked)).toMatchObject({ status: 'accepted' });
});

test('a batch gives each message a result and a key: of its own, of the batch, or a fresh one', async () => {
  const producer = start();
  const items = [{ ...message(), idempotencyKey: 'own' }, message(), { ...message(), to: '12' }];
  const keyed = await producer.sendBatch(items, { idempotencyKey: 'batch' });
  const ids = ['own', 'batch/1'].map((key) => messageIdFor('billing', key));
  expect(keyed).toMatchObject({
    results: [{ id: ids[0] }, { id: ids[1] }, { error: { code: 'INVALID_RECIPIENT' } }],
    accepted: 2,
    rejected: 1,
  });
  expect(await producer.sendBatch(items, { idempotencyKey: 'batch' })).toMatchObject({
    results: [{ replayed: true }, { replayed: true }, {}],
  });
  await expect(producer.sendBatch(items.slice(1), { idempotencyKey: 'batch' })).rejects.toThrow(refused('IDEMPOTENCY_KEY_REUSED'));

  const [own, fresh] = (await producer.sendBatch(items)).results;
  expect([own, fresh]).toMatchObject([{ id: ids[0], replayed: true }, { replayed: false }]);
  const again = { ...items[1], idempotencyKey: `id:${(fresh as { id: string }).id}` } as (typeof items)[0];
  expect(await producer.sendBatch([again])).toMatchObject({ results: [{ replayed: true }] });
});

test('a cancellation that no worker answers is requested, and an id of another form is not found', async () => {
  const producer = start();
  expect(await producer.cancel(randomUUID())).toBe('cancel_requested');
  expect(await producer.cancel('SM1')).toBe('not_found');
});

test('without Redis each call says in time that nothing was accepted', async () => {
  const producer = start({ redisUrl: `redis://127.0.0.1:${await freePort()}` });
  await expect(producer.send(message())).rejects.toThrow(refused('QUEUE_UNAVAILABLE'));
  await expect(producer.sendBatch([message()])).rejects.toThrow(refused('QUEUE_UNAVAILABLE'));
  await expect(producer.cancel(randomUUID())).rejects.toThrow(refused('QUEUE_UNAVAILABLE'));
});

test.each([
  [{ producer: 'external' }, 'ids of our own'],
  [{ producer: 'no name' }, '1 to 64 letters'],
  [{ senders: [] }, 'at least one sender'],
  [{ allowedRecipients: ['12'] }, 'entry 1'],
])('with %j it is not opened', (options, says) => {
  expect(() => start(options)).toThrow(says);
});
