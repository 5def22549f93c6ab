import { createArchive, createDatabase } from '@tickmark/delivery';
import { DEFAULT_OPT_OUT_WORDS, parseOptOutWords, parseSenders } from '@tickmark/domain';
import { createProducers } from '@tickmark/queues';
import {
  createFailpoints,
  createLogger,
  createMetrics,
  createShutdown,
  keysUsedBy,
  loadConfig,
  METRICS_PORTS,
  startInternalListener,
  systemClock,
} from '@tickmark/runtime';
import { createMessageLister, createMessageRedactor, createMessagesClient } from '@tickmark/twilio';
import { startWorker } from './start-worker.ts';

/** Longer than a create call and its record may take. */
const JOBS_DEADLINE_MS = 20_000;
/** Raw statements under way at the same time: claims, outcomes, statuses, cancellations, intake, inbound, sweep, reconciler, receipts, tasks, retention and probes, with one to spare each. */
const DATABASE_CONNECTIONS_MAX = 29;

const config = loadConfig(keysUsedBy('worker'), { parse: { TWILIO_SENDERS: parseSenders, STOP_WORDS_FILE: parseOptOutWords } });
const log = createLogger({ process: 'worker', level: config.LOG_LEVEL });
const metrics = createMetrics({ process: 'worker' });
const redis = { redisUrl: config.REDIS_URL.reveal(), base: config.QUEUE_PREFIX };

const store = { url: config.DATABASE_URL.reveal(), prepare: config.DATABASE_PREPARE };
const db = createDatabase({ ...store, max: DATABASE_CONNECTIONS_MAX, applicationName: 'tickmark-worker' });
const producers = createProducers({ ...redis, log });
const api = {
  accountSid: config.TWILIO_ACCOUNT_SID,
  apiKeySid: config.TWILIO_API_KEY_SID,
  apiKeySecret: config.TWILIO_API_KEY_SECRET,
  baseUrl: config.TWILIO_BASE_URL,
  region: config.TWILIO_REGION,
  edge: config.TWILIO_EDGE,
};
const twilio = createMessagesClient({
  ...api,
  concurrency: config.WORKER_CONCURRENCY,
  statusCallback: config.STATUS_CALLBACKS ? { publicBaseUrl: config.PUBLIC_BASE_URL, overrides: config.STATUS_CALLBACK_OVERRIDES } : null,
  log,
});
const reconcileConcurrency = config.RECONCILE_CONCURRENCY;
const lister = createMessageLister({
  ...api,
  concurrency: reconcileConcurrency,
  requestsPerSecond: config.RECONCILE_REQUESTS_PER_SECOND,
  log,
});
const requestsPerSecond = config.RECONCILE_REQUESTS_PER_SECOND;
const redactor = config.RETENTION_REDACT_AT_TWILIO ? createMessageRedactor({ ...api, requestsPerSecond, log }) : null;
const locks = { lockMs: config.QUEUE_LOCK_MS, stalledMs: config.QUEUE_STALLED_MS };
const failpoints = createFailpoints(config.FAILPOINTS, log);
const retention = {
  archive: config.ARCHIVE_DIR === undefined ? null : createArchive({ dir: config.ARCHIVE_DIR, failpoints }),
  bodyDays: config.RETENTION_BODY_DAYS,
  rowDays: config.RETENTION_DAYS,
  ...(redactor && { redactAtTwilio: (messageSid: string) => redactor.redact(messageSid) }),
};
const optOutWords = () => config.STOP_WORDS_FILE ?? DEFAULT_OPT_OUT_WORDS;
const worker = startWorker(
  { db, producers, twilio, lister, failpoints, clock: systemClock, metrics, log, optOutWords, retention },
  {
    ...redis,
    ...locks,
    senders: config.TWILIO_SENDERS,
    concurrencyMax: config.WORKER_CONCURRENCY,
    windowGuard: config.WINDOW_GUARD,
    reconcileConcurrency,
  },
);
const listening = startInternalListener({
  host: config.LISTEN_HOST,
  port: config.METRICS_PORT ?? METRICS_PORTS.worker,
  portWasGiven: config.wasGiven('METRICS_PORT'),
  metrics,
  log,
  ready: () => worker.readiness(),
  live: () => worker.liveness(),
  beforeScrape: () => worker.measureQueues(),
});

const closeConnections = () =>
  Promise.all([producers.close(), db.close(2_000)]).finally(() => [twilio, redactor].forEach((client) => client?.close()));
// Before the listener is up: jobs may run already.
createShutdown({
  log,
  phases: [
    { name: 'finish running jobs', run: () => worker.stopTaking(JOBS_DEADLINE_MS), deadlineMs: JOBS_DEADLINE_MS + 1_000 },
    { name: 'write what is collected', run: () => worker.drain(), deadlineMs: 5_000 },
    { name: 'close connections', run: () => closeConnections(), deadlineMs: 3_000 },
    { name: 'close the internal listener', run: async () => (await listening).close(), deadlineMs: 1_000 },
  ],
});
await listening;
