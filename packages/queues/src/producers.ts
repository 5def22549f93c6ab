import type { AcceptedMessage, InboundMessage, Priority, StatusEvent } from '@tickmark/domain';
import type { RedisCheck } from './check-redis.ts';
import type { QueueLog } from './log.ts';

export interface ProducersOptions {
  redisUrl: string;
  /** `QUEUE_PREFIX`. */
  base?: string;
  log: QueueLog;
  /** From the call to its answer, whatever Redis does. */
  deadlineMs?: number;
}

/** A message to be sent: the id of its row, and which queue and order it takes. */
export interface SendJob {
  id: string;
  /** The sender's alias. */
  sender: string;
  priority: Priority;
  /** Wait this long first; the row's `due_at` decides all the same. */
  delayMs?: number;
}

/**
 * Writers of every queue over one connection. Each call settles within its deadline: fulfilled = in Redis; `QueueUnavailableError` =
 * certainly not; `QueueTimeoutError` = may still land. Each job id follows from its content, so any call may be repeated.
 */
export interface Producers {
  /** One job for the batch: transactional batches go before bulk ones. All messages must have this priority. */
  addIntake(messages: readonly AcceptedMessage[], priority: Priority): Promise<void>;
  addStatusEvents(events: readonly StatusEvent[]): Promise<void>;
  addInbound(messages: readonly InboundMessage[]): Promise<void>;
  /** One job per message, id = message id; a job that is there already stays as it is. Fails as a whole, though some may have landed. */
  addSend(jobs: readonly SendJob[]): Promise<void>;
  /** For each job, in order: does Redis hold one of that id (waiting, delayed or running)? */
  hasSendJobs(jobs: readonly Pick<SendJob, 'id' | 'sender'>[]): Promise<boolean[]>;
  /** Marks the id for 24 h. @returns the body hash of the earlier request of that id, or null when this is the first. */
  markIdempotent(id: string, bodyHash: string): Promise<string | null>;
  /** Age of the oldest waiting (not active) intake job in milliseconds; 0 when none waits. */
  oldestIntakeAgeMs(): Promise<number>;
  /** Round trip in milliseconds. */
  ping(): Promise<number>;
  check(): Promise<RedisCheck>;
  /** Never hangs and never rejects. */
  close(): Promise<void>;
}

export function createProducers(_options: ProducersOptions): Producers {
  throw new Error('not built yet');
}
