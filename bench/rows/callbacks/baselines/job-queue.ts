import { Queue } from 'bullmq';
import { Redis } from 'ioredis';

export const JOB_QUEUE = 'callbacks';

export function connectRedis(): Redis {
  return new Redis(process.env['REDIS_URL'] ?? '', { maxRetriesPerRequest: null, replyMapping: 'legacy' });
}

/** Jobs leave nothing behind, the event stream is short: what BullMQ does per job is as little as it can be. */
export function openJobQueue(): Queue {
  return new Queue(JOB_QUEUE, {
    connection: connectRedis(),
    streams: { events: { maxLen: 100 } },
    skipVersionCheck: true,
    defaultJobOptions: { removeOnComplete: true, removeOnFail: true },
  });
}
