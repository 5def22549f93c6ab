import { createErrorLogLimiter, type Logger } from '@tickmark/runtime';
import type { Worker } from 'bullmq';
import { ReplyError } from 'ioredis';

/**
 * Hears a Worker's events. Without an `error` listener the first lost connection would end the process.
 *
 * @param onRefused called when Redis itself refused a command (out of memory, disk full, read-only). It does so at once and BullMQ asks again at
 *   once, thousands of times per second, until somebody makes it pause.
 */
export function watchWorker(worker: Worker, { queue, log }: { queue: string; log: Logger }, onRefused: () => void): void {
  const limiter = createErrorLogLimiter({ log });
  worker.on('error', (error) => {
    // Errors of both connections come here too, and those of one kind are one line.
    const code = 'code' in error ? String(error.code) : error.name;
    limiter.error(`${queue} ${code}`, error, 'queue worker met an error: it goes on');
    if (error instanceof ReplyError) onRefused();
  });
  worker.on('stalled', (jobId) => log.warn({ queue, jobId }, 'job stalled: its worker died or hung, and it runs again'));
}
