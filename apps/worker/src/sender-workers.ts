import { listSenders, type Database } from '@tickmark/delivery';
import type { Logger } from '@tickmark/runtime';
import type { QueueWorker } from '@tickmark/queues';
import { waited } from './waited.ts';

const REFRESH_MS = 10_000;

export interface SenderWorkersDeps {
  db: Pick<Database, 'sql'>;
  /** Makes the worker of one sender's queue. */
  startWorker: (alias: string, concurrency: number) => QueueWorker;
  /** Create calls in flight over all senders (`WORKER_CONCURRENCY`). */
  concurrencyMax: number;
  log: Logger;
}

export interface SenderWorkers {
  /** Brings the workers in line with the table `senders`. */
  refresh(): Promise<void>;
  aliases(): string[];
  close(deadlineMs: number): Promise<void>;
}

/**
 * One worker per sender: a sender's backlog or outage never delays another. The table `senders` is read again every 10 s; a sender once
 * consumed stays so, because removing it from the configuration must strand nothing.
 */
export function createSenderWorkers({ db, startWorker, concurrencyMax, log }: SenderWorkersDeps): SenderWorkers {
  const workers = new Map<string, QueueWorker>();
  const stop = new AbortController();

  const refresh = async () => {
    const aliases = (await listSenders(db)).map((sender) => sender.alias);
    const fresh = aliases.filter((alias) => !workers.has(alias));
    if (fresh.length === 0 || stop.signal.aborted) return;
    const concurrency = Math.max(1, Math.floor(concurrencyMax / (workers.size + fresh.length)));
    for (const worker of workers.values()) worker.setConcurrency(concurrency);
    for (const alias of fresh) workers.set(alias, startWorker(alias, concurrency));
    log.info({ senders: workers.size, concurrencyPerSender: concurrency }, 'sender queues consumed');
  };

  const refreshing = (async () => {
    while (await waited(REFRESH_MS, stop.signal)) {
      await refresh().catch((error: unknown) => log.warn({ err: error }, 'senders could not be read: the known ones go on'));
    }
  })();

  return {
    refresh,
    aliases: () => [...workers.keys()],
    close: async (deadlineMs) => {
      stop.abort();
      await refreshing;
      await Promise.all([...workers.values()].map((worker) => worker.close(deadlineMs)));
    },
  };
}
