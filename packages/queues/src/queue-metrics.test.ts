import { randomUUID } from 'node:crypto';
import { acceptedMessage, waitFor } from '@tickmark/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { queueRoom, SEND_QUEUE, SENDER, type QueueRoom } from './fixtures/queue-room.ts';
import { redisGate, type RedisGate } from './fixtures/redis-gate.ts';
import { QUEUES, type QueueName } from './names.ts';
import { collectQueueMetrics, type QueueMetricsCollector } from './queue-metrics.ts';
import { queueKey } from './queue-set.ts';

let room: QueueRoom;
let gate: RedisGate;
let collectors: QueueMetricsCollector[];
let queues: QueueName[];
beforeEach(async () => {
  collectors = [];
  queues = [QUEUES.intake, SEND_QUEUE];
  room = queueRoom();
  gate = await redisGate(room.redisUrl);
});
afterEach(async () => {
  await Promise.all(collectors.map((collector) => collector.close()));
  await room.close();
  await gate.shut();
});

function openCollector(options: { redisUrl?: string; cacheMs?: number } = {}): QueueMetricsCollector {
  const { redisUrl = room.redisUrl, cacheMs = 0 } = options;
  const opened = collectQueueMetrics({
    redisUrl,
    cacheMs,
    base: room.base,
    log: room.logger.log,
    metrics: room.metrics,
    queues: () => queues,
  });
  collectors.push(opened);
  return opened;
}

const shown = async (name: string) => {
  const text = await room.metrics.registry.getSingleMetricAsString(name);
  return text.split('\n').filter((line) => line.startsWith(`${name}{`));
};
const sendJob = (values: object = {}) => ({ id: randomUUID(), sender: SENDER, priority: 'bulk' as const, ...values });

test('the gauges count the jobs of every queue by state, those with a priority among the waiting', async () => {
  const producers = room.producers();
  await producers.addSend([sendJob(), sendJob({ priority: 'transactional' }), sendJob({ delayMs: 60_000 })]);
  let running = false;
  room.worker({
    processor: () => {
      running = true;
      return new Promise(() => {});
    },
  });
  await waitFor(() => running);
  await openCollector().collect();
  expect(await shown('tickmark_queue_jobs')).toEqual([
    'tickmark_queue_jobs{queue="intake",state="waiting"} 0',
    'tickmark_queue_jobs{queue="intake",state="active"} 0',
    'tickmark_queue_jobs{queue="intake",state="delayed"} 0',
    `tickmark_queue_jobs{queue="${SEND_QUEUE}",state="waiting"} 1`,
    `tickmark_queue_jobs{queue="${SEND_QUEUE}",state="active"} 1`,
    `tickmark_queue_jobs{queue="${SEND_QUEUE}",state="delayed"} 1`,
  ]);
});

test('the oldest age is that of what waits; a send job that was told to wait does not count', async () => {
  const producers = room.producers();
  await producers.addIntake([acceptedMessage()], 'transactional');
  const delayed = sendJob({ delayMs: 60_000 });
  await producers.addSend([delayed]);
  const [intakeId] = await room.jobsIn('wait', QUEUES.intake);
  for (const key of [queueKey(room.base, QUEUES.intake, intakeId ?? ''), queueKey(room.base, SEND_QUEUE, delayed.id)]) {
    await room.redis.hset(key, 'timestamp', Date.now() - 90_000);
  }
  await openCollector().collect();
  const [intake, send] = (await shown('tickmark_queue_oldest_job_age_seconds')).map((line) => Number(line.split(' ')[1]));
  expect(intake).toBeGreaterThanOrEqual(90);
  expect(intake).toBeLessThan(100);
  expect(send).toBe(0);
});

test('within the cache time Redis is not asked again, however often the metrics are read', async () => {
  const producers = room.producers();
  const cached = openCollector({ cacheMs: 60_000 });
  await Promise.all([cached.collect(), cached.collect()]);
  await producers.addSend([sendJob()]);
  await cached.collect();
  expect(await shown('tickmark_queue_jobs')).toContain(`tickmark_queue_jobs{queue="${SEND_QUEUE}",state="waiting"} 0`);
  await openCollector().collect();
  expect(await shown('tickmark_queue_jobs')).toContain(`tickmark_queue_jobs{queue="${SEND_QUEUE}",state="waiting"} 1`);
});

test('a queue that is gone leaves the gauges, and without Redis they are empty rather than old', async () => {
  await gate.open();
  const gated = openCollector({ redisUrl: gate.url });
  await gated.collect();
  expect(await shown('tickmark_queue_jobs')).toHaveLength(6);
  queues = [QUEUES.intake];
  await gated.collect();
  expect(await shown('tickmark_queue_jobs')).toHaveLength(3);
  await gate.shut();
  await waitFor(async () => {
    await gated.collect();
    return (await shown('tickmark_queue_jobs')).length === 0;
  });
  expect(await shown('tickmark_queue_oldest_job_age_seconds')).toEqual([]);
});
