import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The processes that stay up and show metrics. */
export type ProcessName = 'ingress' | 'worker' | 'console' | 'simulator';

/** Answers and waits on one machine or one network: from a good local answer to the longest time-out. */
const REQUEST_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Between what a person does not notice and what belongs to another day: a phone may be off. */
const DELIVERY_SECONDS = [0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 3600, 21_600, 86_400];
/** 500 is the largest batch. */
const BATCH_ITEMS = [1, 2, 5, 10, 20, 50, 100, 200, 350, 500];

/** The values of a label whose set is closed here; sender aliases, queues and statuses are closed by their owners. */
const CALLBACK_RESULTS = ['queued', 'spooled', 'invalid_signature', 'wrong_account', 'missing_sid', 'too_large', 'unavailable'] as const;
const SIGNATURE_RESULTS = ['valid', 'valid_next_token', 'invalid', 'missing'] as const;
/** Who gives way: batches, then other requests of producers, Twilio's webhooks last. */
const SHED = ['bulk', 'first', 'last'] as const;
const SHED_REASONS = ['in_flight', 'bytes', 'event_loop', 'connections', 'intake_age', 'redis_memory'] as const;
const SEND_OUTCOMES = ['accepted', 'throttled', 'rejected', 'unknown'] as const;
/** `other_sid`: its attempt has another sid. `deleted`: its row was deleted on purpose, and stays away. */
const STATUS_EVENT_KINDS = ['external', 'recovered', 'bound', 'raised', 'attempt', 'logged', 'duplicate', 'other_sid', 'deleted'] as const;
const LATENCY_STAGES = ['sent', 'delivered', 'read'] as const;
/** Of looks for unknown outcomes, then of looks for missed callbacks; `failed` belongs to both. */
const RECONCILE_RESULTS = [
  'adopted',
  'absent',
  'unproven',
  'ambiguous',
  'resent',
  'failed',
  'repaired',
  'current',
  'external',
  'gone',
] as const;

/**
 * Every metric of ours, in a registry of its own together with prom-client's process metrics, and all of them in every process:
 * one that a process never touches stays empty. Labels hold values from closed sets only; never a phone, sid, account or campaign.
 *
 * Counters whose labels are known appear with 0 from the start, in the process that counts them, so that the first increase is
 * visible to `rate()`. Gauges do not: 0 would be a claim that nobody checked.
 */
export function createMetrics(options: { process: ProcessName }): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = { registry, ...declareIngressMetrics(registry), ...declareSendMetrics(registry), ...declareQueueMetrics(registry) };
  if (options.process === 'ingress') {
    for (const result of CALLBACK_RESULTS) metrics.callbacksReceived.inc({ result }, 0);
    for (const result of SIGNATURE_RESULTS) metrics.callbackSignature.inc({ result }, 0);
    for (const shed of SHED) for (const reason of SHED_REASONS) metrics.requestsShed.inc({ shed, reason }, 0);
  }
  if (options.process === 'worker') {
    for (const stage of LATENCY_STAGES) metrics.deliveryLatency.zero({ stage });
    for (const kind of STATUS_EVENT_KINDS) metrics.statusEvents.inc({ kind }, 0);
    for (const result of RECONCILE_RESULTS) metrics.reconciled.inc({ result }, 0);
  }
  return metrics;
}

export type Metrics = { registry: Registry } & ReturnType<typeof declareIngressMetrics> &
  ReturnType<typeof declareSendMetrics> &
  ReturnType<typeof declareQueueMetrics>;

function declareIngressMetrics(registry: Registry) {
  const registers = [registry];
  return {
    httpRequestDuration: new Histogram({
      name: 'tickmark_http_request_duration_seconds',
      help: 'Time from the first byte of an HTTP request to the end of its answer, in seconds, by route pattern.',
      labelNames: ['method', 'route', 'status'],
      buckets: REQUEST_SECONDS,
      registers,
    }),
    callbacksReceived: new Counter({
      name: 'tickmark_callbacks_received_total',
      help: `Webhook requests from Twilio by what became of them: ${CALLBACK_RESULTS.join(', ')}.`,
      labelNames: ['result'],
      registers,
    }),
    callbackSignature: new Counter({
      name: 'tickmark_callback_signature_total',
      help: `Signature checks of webhook requests by result: ${SIGNATURE_RESULTS.join(', ')}.`,
      labelNames: ['result'],
      registers,
    }),
    requestsShed: new Counter({
      name: 'tickmark_requests_shed_total',
      help: `Requests that were refused because of load, by who gives way (${SHED.join(', ')}) and why: ${SHED_REASONS.join(', ')}.`,
      labelNames: ['shed', 'reason'],
      registers,
    }),
    spooledEvents: new Gauge({
      name: 'tickmark_spooled_events',
      help: 'Events on local disk that wait for Redis.',
      registers,
    }),
    idempotencyConflicts: new Counter({
      name: 'tickmark_idempotency_conflicts_total',
      help: 'Requests that repeated an idempotency key with other content; none of them created a message.',
      registers,
    }),
    groupCommitBatchSize: new Histogram({
      name: 'tickmark_group_commit_batch_size',
      help: 'Items per group-commit write, by the place that writes.',
      labelNames: ['site'],
      buckets: BATCH_ITEMS,
      registers,
    }),
    clockSkew: new Gauge({
      name: 'tickmark_clock_skew_seconds',
      help: 'Clock of this process minus clock of the database, in seconds.',
      registers,
    }),
  };
}

function declareSendMetrics(registry: Registry) {
  const registers = [registry];
  return {
    sendAttempts: new Counter({
      name: 'tickmark_send_attempts_total',
      help: `Calls of Twilio's create by sender alias and outcome: ${SEND_OUTCOMES.join(', ')}.`,
      labelNames: ['sender', 'outcome'],
      registers,
    }),
    sendDuration: new Histogram({
      name: 'tickmark_send_duration_seconds',
      help: "Duration of one call of Twilio's create, in seconds.",
      buckets: REQUEST_SECONDS,
      registers,
    }),
    messageStatus: new Counter({
      name: 'tickmark_message_status_total',
      help: 'Messages that reached a status, by status; one that skips a stage does not count for it.',
      labelNames: ['status'],
      registers,
    }),
    statusEvents: new Counter({
      name: 'tickmark_status_events_total',
      help: `Statuses of Twilio by what became of them: ${STATUS_EVENT_KINDS.join(', ')}.`,
      labelNames: ['kind'],
      registers,
    }),
    statusNews: new Counter({
      name: 'tickmark_status_news_total',
      help: 'Changed statuses for producers (queue message-status) by result: told, or dropped because nobody reads them or a store was away.',
      labelNames: ['result'],
      registers,
    }),
    messageErrors: new Counter({
      name: 'tickmark_message_errors_total',
      help: 'Messages that ended with an error, by Twilio error code and our class for it; codes outside the error table count as other.',
      labelNames: ['code', 'class'],
      registers,
    }),
    deliveryLatency: new Histogram({
      name: 'tickmark_delivery_latency_seconds',
      help: `Time from acceptance of a message to the first callback of a stage, in seconds: ${LATENCY_STAGES.join(', ')}.`,
      labelNames: ['stage'],
      buckets: DELIVERY_SECONDS,
      registers,
    }),
    receiptCompleteness: new Gauge({
      name: 'tickmark_receipt_completeness_ratio',
      help: 'Share (0 to 1) of the messages that Twilio took in the 24 hours up to an hour ago that have a final status, by sender alias.',
      labelNames: ['sender'],
      registers,
    }),
    unknownOutcomes: new Gauge({
      name: 'tickmark_unknown_outcomes',
      help: 'Messages that Twilio may or may not have created, by whether its list shows a candidate (true or false).',
      labelNames: ['listed'],
      registers,
    }),
    reconciled: new Counter({
      name: 'tickmark_reconciled_total',
      help: `Messages that Twilio was asked about, for unknown outcomes or missed callbacks, by result: ${RECONCILE_RESULTS.join(', ')}.`,
      labelNames: ['result'],
      registers,
    }),
    rateLimited: new Counter({
      name: 'tickmark_rate_limited_total',
      help: 'Create calls that Twilio refused for their rate (HTTP 429, code 20429), by sender alias.',
      labelNames: ['sender'],
      registers,
    }),
    sendConcurrency: new Gauge({
      name: 'tickmark_send_concurrency',
      help: 'Create calls that this process may have in flight at present; falls while Twilio refuses calls for their rate.',
      registers,
    }),
    circuitOpen: new Gauge({
      name: 'tickmark_circuit_open',
      help: 'Open circuit breakers by the kind of thing that they protect; 0 = all closed. inbound: nothing is sent until old inbound messages are stored.',
      labelNames: ['scope'],
      registers,
    }),
  };
}

function declareQueueMetrics(registry: Registry) {
  const registers = [registry];
  return {
    queueJobs: new Gauge({
      name: 'tickmark_queue_jobs',
      help: 'Jobs in a queue by state (waiting, active, delayed), at most 10 seconds old.',
      labelNames: ['queue', 'state'],
      registers,
    }),
    queueOldestJobAge: new Gauge({
      name: 'tickmark_queue_oldest_job_age_seconds',
      help: 'Age of the oldest waiting job of a queue, in seconds; 0 when none waits.',
      labelNames: ['queue'],
      registers,
    }),
    jobDuration: new Histogram({
      name: 'tickmark_job_duration_seconds',
      help: 'Time that one run of a job took, in seconds, by queue.',
      labelNames: ['queue'],
      buckets: REQUEST_SECONDS,
      registers,
    }),
    deadLetters: new Counter({
      name: 'tickmark_dead_letters_total',
      help: 'Jobs that were given up and kept in the table of dead letters, by queue.',
      labelNames: ['queue'],
      registers,
    }),
    canaryAge: new Gauge({
      name: 'tickmark_canary_age_seconds',
      help: 'Time since the canary job of a queue last ran, in seconds; it runs every few seconds while workers work.',
      labelNames: ['queue'],
      registers,
    }),
  };
}
