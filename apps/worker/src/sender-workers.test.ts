import { afterAll, beforeAll, expect, it } from 'vitest';
import { seedSenders } from '@tickmark/delivery';
import { randomPhone } from '@tickmark/testing';
import { sendQueueName, type QueueWorker } from '@tickmark/queues';
import { createWorkerHarness, type WorkerHarness } from './fixtures/worker-harness.ts';
import { createSenderWorkers } from './sender-workers.ts';

let harness: WorkerHarness;
beforeAll(async () => {
  harness = await createWorkerHarness();
});
afterAll(() => harness.close());

it('consumes every sender of the table, shares the calls in flight among them, and takes up new ones', async () => {
  const concurrency = new Map<string, number>();
  const startWorker = (alias: string, initial: number): QueueWorker => {
    concurrency.set(alias, initial);
    return {
      queue: sendQueueName(alias),
      ready: () => Promise.resolve(),
      setConcurrency: (next) => void concurrency.set(alias, next),
      pause: () => undefined,
      resume: () => undefined,
      close: () => Promise.resolve({ drained: true }),
    };
  };
  const workers = createSenderWorkers({ db: harness.db, startWorker, concurrencyMax: 9, log: harness.log.log });
  await seedSenders(harness.db, [{ alias: 'a', address: `whatsapp:${randomPhone()}`, mps: 1 }]);
  await workers.refresh();
  expect([...concurrency]).toEqual([['a', 9]]);
  await seedSenders(harness.db, [{ alias: 'b', address: `whatsapp:${randomPhone()}`, mps: 1 }]);
  await workers.refresh();
  expect([...concurrency]).toEqual([
    ['a', 4],
    ['b', 4],
  ]);
  expect(workers.aliases()).toEqual(['a', 'b']);
  await workers.close(1_000);
});
