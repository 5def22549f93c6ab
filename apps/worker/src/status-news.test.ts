import { insertAccepted } from '@tickmark/delivery';
import { retryMessageId, type AcceptedMessage } from '@tickmark/domain';
import { createStatusConsumer, type ToldStatus } from '@tickmark/queues';
import { statusEvent, waitFor } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import { startStatusNews } from './status-news.ts';

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
});
afterAll(() => harness.close());

function consume() {
  const told: ToldStatus[] = [];
  const { redisUrl, base } = harness.redis;
  const onStatuses = async (statuses: readonly ToldStatus[]) => void told.push(...statuses);
  return { told, ...createStatusConsumer({ redisUrl, base, log: harness.log.log, onStatuses }) };
}

async function counted(result: string): Promise<number> {
  const { values } = await harness.metrics.statusNews.get();
  return values.find(({ labels }) => labels.result === result)?.value ?? 0;
}

it('producers are told what became of their messages, without people and contents', async () => {
  const consumer = consume();
  const worker = harness.start();
  const message = harness.message({ campaign: 'spring' });
  const canceled = harness.message({ sendAt: new Date(Date.now() + 3_600_000).toISOString() });
  await harness.producers.addIntake([message, canceled], message.priority);
  const of = (id: string) => consumer.told.filter((one) => one.id === id).map(({ status }) => status);
  await waitFor(() => of(message.id).includes('queued'));
  const messageSid = String((await harness.row(message.id))?.message_sid);
  const shared = { messageId: message.id, attempt: 1, messageSid };
  await harness.producers.addStatusEvents([statusEvent({ ...shared, rawStatus: 'failed', errorCode: 63016 })]);
  await waitFor(() => of(message.id).includes('failed'));
  await harness.producers.requestCancel({ id: canceled.id, producer: canceled.producer }, 5_000);
  await waitFor(() => of(canceled.id).includes('canceled'));
  expect(consumer.told.find(({ status }) => status === 'failed')).toEqual({
    id: message.id,
    producer: message.producer,
    status: 'failed',
    errorCode: 63016,
    messageSid,
    campaign: 'spring',
    retryOf: null,
    at: expect.any(String),
  });
  const text = JSON.stringify(consumer.told);
  for (const secret of [message.recipient.slice(-10), message.body ?? '']) expect(text).not.toContain(secret);
  await worker.stopTaking(5_000);
  await worker.drain();
  await consumer.close(1_000);
});

it('producers are told of a retry that ends because its original arrived, and because it was canceled', async () => {
  const consumer = consume();
  const worker = harness.start();
  const messages = [harness.message(), harness.message()];
  await harness.producers.addIntake(messages, messages[0]!.priority);
  const toldOf = (id: string, status: string) =>
    waitFor(() => consumer.told.some((one) => one.id === id && one.status === status), { message: `${id} to be told as ${status}` });
  const tell = async (id: string, rawStatus: string, errorCode: number | null) => {
    const messageSid = String((await harness.row(id))?.message_sid);
    await harness.producers.addStatusEvents([statusEvent({ messageId: id, attempt: 1, messageSid, rawStatus, errorCode })]);
  };
  for (const { id } of messages) {
    await toldOf(id, 'queued');
    await tell(id, 'failed', 63010);
    await toldOf(retryMessageId(id), 'scheduled');
  }
  const [arrived, canceled] = messages as [AcceptedMessage, AcceptedMessage];
  await tell(arrived.id, 'delivered', null);
  await harness.producers.requestCancel({ id: canceled.id, producer: canceled.producer }, 5_000);
  for (const { id } of messages) await toldOf(retryMessageId(id), 'canceled');
  await worker.stopTaking(5_000);
  await worker.drain();
  await consumer.close(1_000);
});

it('what nobody has room for is left out and counted, and holds up nobody', async () => {
  const messages = Array.from({ length: 250 }, () => harness.message());
  await insertAccepted(harness.db, messages);
  const ids = messages.map(({ id }) => id);
  let jobs = 0;
  const addMessageStatus = async () => (jobs += 1) === 1;
  const before = [await counted('told'), await counted('dropped')] as const;
  const news = startStatusNews({ ...harness.deps, breaker: { reason: () => null }, producers: { addMessageStatus } }, 10);
  news.changed(ids);
  // The same again, and what no producer sent.
  news.changed([...ids, '0b6d1f4e-52b7-4f0a-8f0e-2f8a8f6f0c11']);
  await waitFor(async () => (await counted('dropped')) >= before[1] + 150);
  await news.close();
  expect((await counted('told')) - before[0]).toBe(100);
  // After the second job was refused the third was not even read.
  expect(jobs).toBe(2);
});
