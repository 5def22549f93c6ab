export { startCanary, type Canary, type CanaryOptions } from './canary.ts';
export { checkRedis, type RedisCheck } from './check-redis.ts';
export { QueueTimeoutError, QueueUnavailableError } from './errors.ts';
export { DEFAULT_QUEUE_BASE, QUEUES, queuePrefix, sendQueueName, type QueueName } from './names.ts';
export { cancel, done, retry, snooze, type Outcome } from './outcome.ts';
export * from './payloads.ts';
export { createProducers, type Producers, type ProducersOptions, type SendJob } from './producers.ts';
export { collectQueueMetrics, type QueueMetricsCollector, type QueueMetricsOptions } from './queue-metrics.ts';
export { createQueueWorker, type QueueWorker, type QueueWorkerOptions, type RunningJob } from './queue-worker.ts';
