import type { InboundMessage, StatusEvent } from '@tickmark/domain';
import { QueueTimeoutError, QueueUnavailableError, type Producers } from '@tickmark/queues';
import { DeadlineExceededError, type Logger, type Spool } from '@tickmark/runtime';
import type { Commits } from './commits.ts';

/** What Twilio sends, by the name under which it waits on disk. */
export type WebhookKind = 'status-callback' | 'inbound';

/** Where something is durable: in Redis, or on this process's disk until Redis has it. */
export type Durable = 'queued' | 'spooled';

/** How often Redis is tried while something waits, how often it is told what waits, and the disk is searched for what dead processes left behind. */
const DRAIN_MS = 500;
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
  let isAway = false;
  let isClosed = false;
  let drainedMs = performance.now();
  let reportedMs = Number.NEGATIVE_INFINITY;

  async function commit(kind: WebhookKind, item: object, commitToRedis: () => Promise<void>): Promise<Durable> {
    if (!isAway) {
      try {
        await commitToRedis();
        return 'queued';
      } catch (error) {
        if (!isRedisAway(error)) throw error;
        if (!isAway) log.warn({ err: error }, 'redis is away: callbacks and inbound messages wait on disk');
        isAway = true;
      }
    }
    await spool.append({ kind, item });
    return 'spooled';
  }

  /** Workers take no message for absent whose callback may wait here. */
  async function report(): Promise<void> {
    if (performance.now() - reportedMs < REPORT_MS) return;
    await producers.reportSpool({ instance: spool.instance, waiting: spool.waiting(), takenOver: spool.takenOver() });
    reportedMs = performance.now();
  }

  async function drain(): Promise<void> {
    const isDue = isAway || spool.waiting() > 0 || performance.now() - drainedMs >= ADOPT_MS;
    try {
      if (!isAway) await report();
      if (!isDue) return;
      await producers.ping();
      // What comes from now on goes to Redis, while the disk is emptied.
      isAway = false;
      const delivered = await spool.drain();
      drainedMs = performance.now();
      if (delivered > 0) log.info({ delivered }, 'what waited on disk is in redis');
    } catch (error) {
      if (!isRedisAway(error)) log.error({ err: error }, 'what waits on disk could not be read or removed: it is tried again');
      else isAway = true;
    }
  }

  let timer: NodeJS.Timeout | undefined;
  let draining = Promise.resolve();
  const schedule = () => {
    timer = setTimeout(() => {
      draining = drain().finally(() => isClosed || schedule());
    }, DRAIN_MS);
  };
  schedule();

  return {
    statusCallback: (event) => commit('status-callback', event, () => commits.statusCallback.commit(event)),
    inbound: (message) => commit('inbound', message, () => commits.inbound.commit(message)),
    async close() {
      isClosed = true;
      clearTimeout(timer);
      await draining;
      const told = spool.waiting() === 0 ? producers.forgetSpool(spool.instance) : report();
      await told.catch((error: unknown) => log.warn({ err: error }, 'redis could not be told what waits on disk'));
    },
  };
}

function isRedisAway(error: unknown): boolean {
  return error instanceof QueueUnavailableError || error instanceof QueueTimeoutError || error instanceof DeadlineExceededError;
}
