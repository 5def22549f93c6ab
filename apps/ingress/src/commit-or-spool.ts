import type { InboundMessage, StatusEvent } from '@tickmark/domain';
import { QueueTimeoutError, QueueUnavailableError, type Producers } from '@tickmark/queues';
import { createErrorLogLimiter, DeadlineExceededError, type Logger, type Spool } from '@tickmark/runtime';
import type { Commits } from './commits.ts';

/** What Twilio sends, by the name under which it waits on disk. */
export type WebhookKind = 'status-callback' | 'inbound';

/** Where something is durable: in Redis, or on this process's disk until Redis has it. */
export type Durable = 'queued' | 'spooled';

const WATCH_MS = 500;
/** How often Redis is told what waits on disk, and the disk is searched for what dead processes left behind. */
const REPORT_MS = 5_000;
const ADOPT_MS = 10_000;

export interface CommitOrSpoolDeps {
  commits: Pick<Commits, 'statusCallback' | 'inbound'>;
  spool: Spool<WebhookKind>;
  producers: Pick<Producers, 'ping' | 'reportSpool' | 'forgetSpool'>;
  log: Logger;
}

export interface CommitOrSpool {
  statusCallback(event: StatusEvent): Promise<Durable>;
  inbound(message: InboundMessage): Promise<Durable>;
  /** Drains no more. What waits on disk stays there for the next process. After the last commit. */
  close(): Promise<void>;
}

/** Hands what waits on disk to the queue that it belongs to. */
export function deliverSpooled(producers: Pick<Producers, 'addStatusEvents' | 'addInbound'>) {
  return (kind: WebhookKind, items: unknown[]): Promise<void> =>
    // They were written by us, and the queue's own schema judges them again when they are read.
    kind === 'inbound' ? producers.addInbound(items as InboundMessage[]) : producers.addStatusEvents(items as StatusEvent[]);
}

/**
 * Makes webhooks durable in Redis, or on disk while Redis is away. After one failure everything goes straight to disk, so that nobody waits
 * for a Redis that is known to be away, until it answers again; then the disk is drained.
 */
export function createCommitOrSpool({ commits, spool, producers, log }: CommitOrSpoolDeps): CommitOrSpool {
  const redis = watchRedis({ spool, producers, log });
  const drainer = startDraining({ spool, redis, log });

  async function commit(kind: WebhookKind, item: object, commitToRedis: () => Promise<void>): Promise<Durable> {
    if (!redis.isAway()) {
      try {
        await commitToRedis();
        return 'queued';
      } catch (error) {
        if (!redis.blame(error)) throw error;
      }
    }
    await spool.append({ kind, item });
    return 'spooled';
  }

  return {
    statusCallback: (event) => commit('status-callback', event, () => commits.statusCallback.commit(event)),
    inbound: (message) => commit('inbound', message, () => commits.inbound.commit(message)),
    async close() {
      await drainer.stop();
      await redis.stop();
    },
  };
}

interface WatchedRedis {
  isAway(): boolean;
  /** Whether it is Redis's fault. It counts as away then, until it answers. */
  blame(error: unknown): boolean;
  stop(): Promise<void>;
}

/** Knows whether Redis answers, whatever the disk does, and tells it what waits on the disk: workers take no message for absent whose callback may wait there. */
function watchRedis({ spool, producers, log }: Omit<CommitOrSpoolDeps, 'commits'>): WatchedRedis {
  const errors = createErrorLogLimiter({ log });
  let away = false;
  let reportedMs = Number.NEGATIVE_INFINITY;

  function blame(error: unknown): boolean {
    if (!isRedisAway(error)) return false;
    if (!away) errors.error('redis away', error, 'redis takes nothing: callbacks and inbound messages wait on disk');
    away = true;
    return true;
  }

  async function report(): Promise<void> {
    const takenOver = spool.takenOver();
    await producers.reportSpool({ instance: spool.instance, waiting: spool.waiting(), takenOver });
    reportedMs = performance.now();
    // Not awaited: a disk that hangs must not keep Redis from being watched.
    spool
      .forget(takenOver)
      .catch((error: unknown) => errors.error('spool folders', error, 'emptied folders of the spool could not be removed'));
  }

  const watching = repeat(async () => {
    try {
      if (away) await producers.ping();
      away = false;
      if (performance.now() - reportedMs >= REPORT_MS) await report();
    } catch (error) {
      if (!blame(error)) errors.error('spool report', error, 'what waits on disk could not be reported: it is tried again');
    }
  });

  return {
    isAway: () => away,
    blame,
    async stop() {
      await watching.stop();
      const told = spool.waiting() === 0 ? producers.forgetSpool(spool.instance) : report();
      await told.catch((error: unknown) => log.warn({ err: error }, 'redis could not be told what waits on disk'));
    },
  };
}

/** Empties the disk while Redis is there: what waits at once, what other processes left behind every 10 s. */
function startDraining({ spool, redis, log }: { spool: Spool<WebhookKind>; redis: WatchedRedis; log: Logger }) {
  const errors = createErrorLogLimiter({ log });
  let drainedMs = performance.now();
  return repeat(async () => {
    if (redis.isAway() || (spool.waiting() === 0 && performance.now() - drainedMs < ADOPT_MS)) return;
    try {
      const delivered = await spool.drain();
      drainedMs = performance.now();
      if (delivered > 0) log.info({ delivered }, 'what waited on disk is in redis');
    } catch (error) {
      if (!redis.blame(error)) errors.error('spool drain', error, 'what waits on disk could not be read or removed: it is tried again');
    }
  });
}

/** Twice a second, one run at a time. */
function repeat(work: () => Promise<void>): { stop(): Promise<void> } {
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;
  let running = Promise.resolve();
  const schedule = () => {
    timer = setTimeout(() => {
      running = work().finally(() => isStopped || schedule());
    }, WATCH_MS);
  };
  schedule();
  return {
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}

function isRedisAway(error: unknown): boolean {
  return error instanceof QueueUnavailableError || error instanceof QueueTimeoutError || error instanceof DeadlineExceededError;
}
