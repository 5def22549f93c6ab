import { createHash } from 'node:crypto';
import type { AcceptedMessage, CancelResult, InboundMessage, Priority, StatusEvent } from '@tickmark/domain';
import { monotonicNowMs, type Logger } from '@tickmark/runtime';
import type { JobsOptions } from 'bullmq';
import { addInboundMessages, HANDED_OVER_MAX } from './add-inbound-messages.ts';
import { addMessageStatus, STATUS_JOBS_MAX } from './add-message-status.ts';
import { addSendJob, orderOf, type SendJob } from './add-send-job.ts';
import { checkServer, type RedisCheck } from './check-redis.ts';
import { toDeadLetterJob } from './dead-letter-payload.ts';
import { eraseFromQueues, type EraseOptions, type QueuesErased } from './erase-from-queues.ts';
import { withoutPayload } from './errors.ts';
import { createCancelRequests } from './cancel-requests.ts';
import { hasJobBefore, inspectQueues, oldestUnfinishedAgeMs } from './inspect-queues.ts';
import { DEFAULT_QUEUE_BASE, QUEUES, sendQueueName, type QueueName } from './names.ts';
import type {
  InboundMessagePayload,
  InboundPayload,
  IntakePayload,
  MaintenancePayload,
  SendOutcomePayload,
  StatusCallbackPayload,
  ToldStatus,
} from './payloads.ts';
import { pipelineValues } from './pipeline-values.ts';
import { openProducerConnection } from './producer-connection.ts';
import { assertEventsMax, openQueueSet, queueKey } from './queue-set.ts';
import { createRedisEpoch } from './redis-epoch.ts';
import { createSpoolReports, type SpoolReport } from './spool-reports.ts';
import { memoryShareOf } from './redis-info.ts';

const DEFAULT_DEADLINE_MS = 2000;
/** Twice what a group commit puts into one batch: larger can only be a mistake, and one huge value blocks Redis for all. */
const JOB_BYTES_MAX = 512 * 1024;
const SEND_JOBS_PER_ROUND = 500;
const IDEMPOTENCY_SECONDS = 86_400;

/** Of each variant by itself: `Omit` of a union keeps what all have in common alone. */
type Unversioned<T> = T extends unknown ? Omit<T, 'v'> : never;

type Payload = IntakePayload | StatusCallbackPayload | InboundPayload | SendOutcomePayload | MaintenancePayload;

export interface ProducersOptions {
  redisUrl: string;
  /** `QUEUE_PREFIX`. */
  base?: string;
  log: Logger;
  /** From the call to its answer, whatever Redis does; default 2 s. */
  deadlineMs?: number;
  /** Inbound messages that may wait for a consumer in Redis. */
  handedOverMax?: number;
  /** Jobs of statuses that may wait for producers in Redis. */
  statusJobsMax?: number;
}

/** One request as its repeats are recognised by. */
export type IdempotencyMark = Pick<AcceptedMessage, 'id' | 'producer' | 'requestHash'>;

/**
 * Writers of every queue over one connection. Each call settles within its deadline: fulfilled = in Redis; `QueueUnavailableError` =
 * certainly not; `QueueTimeoutError` = may still land. Each job id follows from its content, so any call may be repeated.
 */
export interface Producers {
  /** One job for the batch, all of one priority: transactional batches go before bulk ones. */
  addIntake(messages: readonly AcceptedMessage[], priority: Priority): Promise<void>;
  addStatusEvents(events: readonly StatusEvent[]): Promise<void>;
  addInbound(messages: readonly InboundMessage[]): Promise<void>;
  /**
   * Hands stored messages to consumers, one job each, id = MessageSid. @returns how many of them, from the front, the queue had room for:
   * some 10,000 wait in it at most
   */
  addInboundMessages(handed: readonly Omit<InboundMessagePayload, 'v'>[]): Promise<number>;
  /** Tells producers what became of messages, in one job. @returns false when 1,000 jobs wait for a consumer already: it was left out */
  addMessageStatus(events: readonly ToldStatus[]): Promise<boolean>;
  /** For a Postgres that is away; the worker tells it later. */
  addSendOutcome(outcome: Unversioned<SendOutcomePayload>): Promise<void>;
  /**
   * Gives an item that was kept as a dead letter back to its queue, as a job of its own. Named after the letter, not after its content: a job
   * of the same content that is just failing must not be taken for this one.
   *
   * @returns false when this release does not understand the item; nothing was added then. Rejects with a RangeError when it is too large
   */
  addDeadLetter(letter: { id: number; queue: string; item: unknown }): Promise<boolean>;
  /**
   * One job per message, id = message id; one that is there already stays as it is. The deadline holds for each 500. When it fails, some may
   * be there and some not, also with `QueueUnavailableError`: repeat the whole call.
   */
  addSend(jobs: readonly SendJob[]): Promise<void>;
  /** A task to be carried out, job id = task id; one that is there already, waiting or running, stays as it is. */
  addMaintenance(task: { taskId: string }): Promise<void>;
  /** For each job, in order: does Redis hold one of that id, waiting, delayed or running? The deadline holds for each 500. */
  hasSendJobs(jobs: readonly Pick<SendJob, 'id' | 'sender'>[]): Promise<boolean[]>;
  /**
   * Marks for 24 h that a producer asked for an id. @returns for each mark, in order, the hash of the same producer's earlier request of that
   * id (an earlier mark of this call counts), or null when this is the first.
   */
  markIdempotent(marks: readonly IdempotencyMark[]): Promise<(string | null)[]>;
  /**
   * Asks a worker to cancel a message of a producer. @returns its answer, or null when none came within `waitMs`: the request stands all
   * the same. Fails only when the request may not have been added.
   */
  requestCancel(request: { id: string; producer: string }, waitMs: number): Promise<CancelResult | null>;
  /** The worker's answer to a request; whoever waits no longer does not get it. */
  answerCancel(replyTo: string, result: CancelResult): Promise<void>;
  /** Whether an intake job added before that time (by the clocks of those who add) may still wait or run. */
  hasIntakeBefore(time: Date): Promise<boolean>;
  /** Age of the oldest intake job that waits (active ones do not), in milliseconds; 0 when none does. */
  oldestIntakeAgeMs(): Promise<number>;
  /** Share (0 to 1) of the memory that Redis may use; null when it has no limit. */
  memoryShare(): Promise<number | null>;
  /** The same of what tells of messages at Twilio and is not applied yet: callbacks, and outcomes of calls that could not be recorded. */
  oldestEvidenceAgeMs(): Promise<number>;
  /** Tells how many events wait on this process's disk, every 5 s as long as it lives; what it took over is waited for no more. */
  reportSpool(report: SpoolReport): Promise<void>;
  /** Of a process that ends and leaves nothing on its disk. */
  forgetSpool(instance: string): Promise<void>;
  /** Whether events may wait on the disk of an ingress: one says so, or has been silent for longer than 20 s. */
  mayBeSpooled(): Promise<boolean>;
  /** Since when the oldest inbound message that is not stored yet was received, in milliseconds; 0 when all are. */
  oldestInboundAgeMs(): Promise<number>;
  /** Names what Redis holds; made when there is none. Another one than before: Redis was wiped, or an old state of it was put back. */
  readEpoch(): Promise<string>;
  /** Gives this epoch's Redis another one, by which a snapshot from before can be told. @returns null when it has another one already */
  renewEpoch(epoch: string): Promise<string | null>;
  /** Says again what Redis keeps about queues, for one that was wiped. Safe to repeat. */
  assertQueues(queues: readonly QueueName[]): Promise<void>;
  /** Looks for what is about one person in everything that Redis holds, and takes it out; see {@link eraseFromQueues}. */
  erase(pattern: RegExp, options: EraseOptions): Promise<QueuesErased>;
  /** Round trip in milliseconds. */
  ping(): Promise<number>;
  /** As `checkRedis`, over this connection. Never rejects. */
  check(): Promise<RedisCheck>;
  /** Never hangs and never rejects; safe to repeat. Calls that are under way may fail with `QueueTimeoutError`. */
  close(): Promise<void>;
}

/** Opens the writing end of all queues. Nothing is awaited: without Redis the calls fail, and work again when it is there. */
export function createProducers(options: ProducersOptions): Producers {
  const { log, redisUrl, base = DEFAULT_QUEUE_BASE, deadlineMs = DEFAULT_DEADLINE_MS, handedOverMax = HANDED_OVER_MAX } = options;
  const { statusJobsMax = STATUS_JOBS_MAX } = options;
  const connection = openProducerConnection({ redisUrl, log, deadlineMs });
  const { redis } = connection;
  const queues = openQueueSet(redis, base);
  const cancels = createCancelRequests(connection, { queue: () => queues.get(QUEUES.cancel), base });

  async function addPayload(queue: QueueName, payload: Payload, order: JobsOptions = {}) {
    const text = JSON.stringify(payload);
    if (Buffer.byteLength(text) > JOB_BYTES_MAX) throw new RangeError(`a job for queue ${queue} exceeds ${JOB_BYTES_MAX} bytes`);
    const contentId = `${queue}-${createHash('sha256').update(text).digest('hex')}`;
    await connection.run(() => queues.get(queue).add(queue, payload, { jobId: contentId, ...order }));
  }

  async function oldestAgeMs(of: readonly QueueName[]): Promise<number> {
    const states = await connection.run(() => inspectQueues(redis, base, of));
    return Math.max(...states.map(({ oldestAgeMs: ageMs }) => ageMs));
  }

  return {
    addIntake: (messages, priority) => addPayload(QUEUES.intake, { v: 1, messages: [...messages] }, orderOf(priority)),
    addStatusEvents: (events) => addPayload(QUEUES.statusCallback, { v: 1, events: [...events] }),
    addInbound: (messages) => {
      // Also of what waited on a disk: a job is as old as what it tells.
      const timestamp = Math.min(...messages.map(({ receivedAt }) => Date.parse(receivedAt)));
      return addPayload(QUEUES.inbound, { v: 1, messages: [...messages] }, { timestamp });
    },
    addInboundMessages: (handed) => connection.run(() => addInboundMessages({ redis, queues, base }, handed, handedOverMax)),
    addMessageStatus: (events) => connection.run(() => addMessageStatus({ redis, queues, base }, [...events], statusJobsMax)),
    addSendOutcome: (outcome) => addPayload(QUEUES.sendOutcome, { v: 1, ...outcome }),
    async addDeadLetter({ id, queue, item }) {
      const job = toDeadLetterJob(queue, item);
      if (job === null) return false;
      const order = job.queue === QUEUES.intake ? orderOf(job.payload.messages[0]?.priority ?? 'bulk') : {};
      await addPayload(job.queue, job.payload, { ...order, jobId: `${queue}-letter-${id}` });
      return true;
    },
    async addSend(jobs) {
      for (const round of inRounds(jobs)) {
        // oxlint-disable-next-line no-await-in-loop -- rounds bound what is in flight
        await connection.run(() => Promise.all(round.map((job) => addSendJob(queues.get(sendQueueName(job.sender)), job))));
      }
    },
    addMaintenance: ({ taskId }) => addPayload(QUEUES.maintenance, { v: 1, taskId }, { jobId: taskId }),
    async hasSendJobs(jobs) {
      const found: boolean[] = [];
      for (const round of inRounds(jobs)) {
        const pipeline = redis.pipeline();
        for (const { id, sender } of round) pipeline.exists(queueKey(base, sendQueueName(sender), id));
        // oxlint-disable-next-line no-await-in-loop -- as above
        const answers = await connection.run(async () => pipelineValues(await pipeline.exec()));
        found.push(...answers.map((exists) => exists === 1));
      }
      return found;
    },
    async markIdempotent(marks) {
      const pipeline = redis.pipeline();
      for (const { id, producer, requestHash } of marks) {
        // With the producer in its name: what one producer asked for under an id is not told to another one.
        pipeline.set(`${base}:idempotency:${producer}:${id}`, requestHash, 'EX', IDEMPOTENCY_SECONDS, 'NX', 'GET');
      }
      return connection.run(async () => pipelineValues(await pipeline.exec()) as (string | null)[]);
    },
    ...cancels,
    hasIntakeBefore: (time) => connection.run(() => hasJobBefore(redis, base, QUEUES.intake, time.getTime())),
    oldestIntakeAgeMs: () => oldestAgeMs([QUEUES.intake]),
    memoryShare: () => connection.run(async () => memoryShareOf(await redis.info('memory'))),
    oldestEvidenceAgeMs: () => oldestAgeMs([QUEUES.statusCallback, QUEUES.sendOutcome]),
    oldestInboundAgeMs: () => connection.run(() => oldestUnfinishedAgeMs(redis, base, QUEUES.inbound)),
    ...createRedisEpoch(connection, base),
    ...createSpoolReports(connection, base),
    erase: (pattern, eraseOptions) => eraseFromQueues({ connection, queues, base }, pattern, eraseOptions),
    assertQueues: (names) => connection.run(() => assertEventsMax(redis, base, names)),
    async ping() {
      const startMs = monotonicNowMs();
      await connection.run(() => redis.ping());
      return monotonicNowMs() - startMs;
    },
    async check() {
      try {
        return await connection.run(() => checkServer(redis));
      } catch (error) {
        return { ok: false, isAway: true, warnings: [], reason: withoutPayload(error).message };
      }
    },
    close: () => connection.close(),
  };
}

function inRounds<T>(items: readonly T[]): T[][] {
  const rounds: T[][] = [];
  for (let from = 0; from < items.length; from += SEND_JOBS_PER_ROUND) rounds.push(items.slice(from, from + SEND_JOBS_PER_ROUND));
  return rounds;
}
