import { checkDatabase, seedSenders, type Database, type TaskKind, type WindowGuard } from '@tickmark/delivery';
import type { OptOutWords, Sender } from '@tickmark/domain';
import type { Clock, Failpoints, Logger, Metrics, Readiness } from '@tickmark/runtime';
import {
  collectQueueMetrics,
  QUEUES,
  sendQueueName,
  startCanary,
  type Producers,
  type QueueName,
  type QueueWorker,
} from '@tickmark/queues';
import type { MessageLister, MessagesClient } from '@tickmark/twilio';
import { startCleaner } from './cleaner.ts';
import { watchClockSkew } from './clock-skew.ts';
import { consumeQueues } from './consume-queues.ts';
import { createDatabaseBreaker, type DatabaseBreaker } from './database-breaker.ts';
import { createErrorPolicies } from './error-policies.ts';
import type { HalfOpenSettings } from './half-open.ts';
import { isAlive } from './is-alive.ts';
import { TASK_HANDLERS } from './maintenance.ts';
import { createRecordBatches } from './record-batches.ts';
import { startReceipts } from './receipts.ts';
import { startReconciler } from './reconciler.ts';
import { createRetentionHandlers, startRetention, type RetentionSettings } from './retention.ts';
import { startRollups } from './rollups.ts';
import { NO_SIGNALS, type SendSignals } from './send-signals.ts';
import { startSending } from './start-sending.ts';
import { startStatusNews } from './status-news.ts';
import { startSweeper } from './sweeper.ts';
import type { TaskHandler } from './task-handler.ts';
import { untilDatabaseReady } from './until-database-ready.ts';

const WATCHERS_DEADLINE_MS = 1_000;

export interface WorkerDeps {
  db: Database;
  producers: Producers;
  twilio: MessagesClient;
  /** Reads Twilio's list, apart from the calls that send. It is closed with the worker. */
  lister: MessageLister;
  failpoints: Failpoints;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
  /** Words by which people ask to be written to no more, or again; asked each time. */
  optOutWords: () => OptOutWords;
  /** Who is told what calls and callbacks show beyond their own message; nobody unless given. */
  signals?: SendSignals;
  /** What carries out tasks; all that there is unless given. */
  taskHandlers?: Partial<Record<TaskKind, TaskHandler>>;
  /** What leaves the database when it is old; nothing unless given. */
  retention?: RetentionSettings;
}

export interface WorkerSettings extends HalfOpenSettings {
  redisUrl: string;
  base: string;
  senders: readonly Sender[];
  concurrencyMax: number;
  lockMs: number | undefined;
  stalledMs: number | undefined;
  windowGuard: WindowGuard;
  sweepIntervalMs?: number;
  /** How often the table `senders` is read; default 5 s. */
  sendersRefreshMs?: number;
  /** Lists read at the same time. */
  reconcileConcurrency: number;
  reconcileIntervalMs?: number;
  /** How often missed callbacks are looked for; default once a minute. */
  receiptsIntervalMs?: number;
  /** How often the metrics are folded; default every 10 s, and the figures of phones a sixth as often. */
  rollupsIntervalMs?: number;
}

export interface RunningWorker {
  readiness(): Promise<Readiness>;
  /** False when a restart would help. */
  liveness(): Promise<boolean>;
  /** Brings the queues' gauges up to date, before a scrape. */
  measureQueues(): Promise<void>;
  /** Every queue that this process consumes by now. */
  queues(): QueueName[];
  /** Stops taking jobs and waits for those that run, `deadlineMs` at most. */
  stopTaking(deadlineMs: number): Promise<void>;
  /** Writes what is still collected, and ends what only watches. */
  drain(): Promise<void>;
}

/**
 * Starts to consume as soon as Postgres answers and its migrations are there, whenever that is: a store that is away never ends the process.
 */
export function startWorker(given: WorkerDeps, settings: WorkerSettings): RunningWorker {
  const breaker = createDatabaseBreaker(given);
  const retained = given.retention && { ...given, retention: given.retention, breaker };
  const taskHandlers = { ...TASK_HANDLERS, ...(retained && createRetentionHandlers(retained)) };
  const deps = { signals: NO_SIGNALS, taskHandlers, ...given, breaker };
  const policies = createErrorPolicies(deps);
  const news = startStatusNews(deps);
  const batches = createRecordBatches({ ...deps, policies, news }, settings);
  const stop = new AbortController();
  const workers: QueueWorker[] = [];
  const shared = { redisUrl: settings.redisUrl, base: settings.base, metrics: deps.metrics, log: deps.log };

  const sending = startSending({ ...deps, batches }, settings);

  const queues = (): QueueName[] => [...workers.map((worker) => worker.queue), ...sending.aliases().map(sendQueueName)];
  const canary = startCanary(shared);
  // Others consume it; what waits there is to be seen here all the same.
  const watched = () => [...queues(), QUEUES.inboundMessage, QUEUES.messageStatus];
  const queueMetrics = collectQueueMetrics({ ...shared, queues: watched });
  const reassert = async () => {
    await sending.reassert();
    await deps.producers.assertQueues(watched());
  };
  const sweeper = startSweeper({ ...deps, news, reassert, onSenders: (aliases) => sending.consume(aliases) }, settings.sweepIntervalMs);
  const reconciler = startReconciler(
    { ...deps, news },
    { concurrency: settings.reconcileConcurrency, intervalMs: settings.reconcileIntervalMs },
  );
  const receipts = startReceipts(deps, { concurrency: settings.reconcileConcurrency, intervalMs: settings.receiptsIntervalMs });
  const cleaner = startCleaner(deps);
  const retention = retained && startRetention(retained);
  const rollups = startRollups(deps, settings.rollupsIntervalMs);
  const clockSkew = watchClockSkew(deps);
  const starting = untilDatabaseReady(deps, stop.signal, async () => {
    await seedSenders(deps.db, settings.senders);
    await clockSkew.measure();
    await policies.refresh();
    await sending.start();
    const { lockMs, stalledMs } = settings;
    if (stop.signal.aborted) return;
    const consuming = { ...deps, signals: sending.signals, batches, policies, news, stopping: stop.signal };
    workers.push(...consumeQueues(consuming, { ...shared, lockMs, stalledMs }));
  });

  return {
    readiness: () => checkReadiness(deps, breaker, workers.length > 0),
    liveness: () => isAlive({ canary, producers: deps.producers }),
    measureQueues: () => queueMetrics.collect(),
    queues,
    stopTaking: async (deadlineMs) => {
      stop.abort();
      // In no order: who waits for the database keeps nobody from taking no more.
      await Promise.all([
        starting,
        breaker.close(),
        policies.close(),
        sweeper.close(),
        reconciler.close(),
        receipts.close(),
        cleaner.close(),
        rollups.close(),
        retention?.close(),
        clockSkew.close(),
        sending.close(deadlineMs),
        ...workers.map((worker) => worker.close(deadlineMs)),
      ]);
    },
    drain: async () => {
      await batches.drain();
      await Promise.all([news.close(), canary.close(WATCHERS_DEADLINE_MS), queueMetrics.close()]);
    },
  };
}

async function checkReadiness({ db, producers }: WorkerDeps, breaker: DatabaseBreaker, consuming: boolean): Promise<Readiness> {
  const [database, redis] = await Promise.all([checkDatabase(db), producers.check()]);
  const reasons: string[] = [];
  const away = database.ok ? breaker.reason() : database.reason;
  if (away !== null) reasons.push(away);
  if (!redis.ok) reasons.push(redis.reason);
  if (reasons.length === 0 && !consuming) reasons.push('the queues are not consumed yet: wait a moment');
  return { ready: reasons.length === 0, reasons };
}
