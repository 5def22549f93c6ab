import {
  cancelPayloadSchema,
  inboundPayloadSchema,
  intakePayloadSchema,
  maintenancePayloadSchema,
  sendOutcomePayloadSchema,
  statusCallbackPayloadSchema,
  QUEUES,
  type QueueWorker,
  type QueueWorkerOptions,
} from '@tickmark/queues';
import type { DatabaseBreaker } from './database-breaker.ts';
import { createGuardedWorker } from './guarded-worker.ts';
import { createCancelProcessor, type CancelDeps } from './processors/cancel.ts';
import { createInboundProcessor, type InboundDeps } from './processors/inbound.ts';
import { createIntakeProcessor, type IntakeDeps } from './processors/intake.ts';
import { createMaintenanceProcessor, type MaintenanceDeps } from './processors/maintenance.ts';
import { createSendOutcomeProcessor, type SendOutcomeDeps } from './processors/send-outcome.ts';
import { createStatusCallbackProcessor, type StatusCallbackDeps } from './processors/status-callback.ts';

/** Jobs taken at the same time: an intake batch is a statement of its own, statuses and cancellations meet again in one. */
const INTAKE_CONCURRENCY = 2;
/** A quiet ingress makes jobs of one callback each, and all that run at one time go in one statement every 20 ms: 3,200 such jobs a second. */
const STATUS_CONCURRENCY = 64;
const OUTCOME_CONCURRENCY = 8;
const INBOUND_CONCURRENCY = 2;
const CANCEL_CONCURRENCY = 20;
/** Each task keeps one connection for its lock and works on another; a long one must not keep a short one waiting. */
const MAINTENANCE_CONCURRENCY = 3;

interface ConsumeQueuesDeps extends IntakeDeps, SendOutcomeDeps, StatusCallbackDeps, InboundDeps, CancelDeps, MaintenanceDeps {
  db: IntakeDeps['db'];
  batches: StatusCallbackDeps['batches'];
  producers: IntakeDeps['producers'];
  metrics: IntakeDeps['metrics'];
  breaker: DatabaseBreaker;
  /** Aborted when the process stops, for work that takes longer than a stop may. */
  stopping: AbortSignal;
}

/** Starts the workers of every queue but the senders'. */
export function consumeQueues(
  deps: ConsumeQueuesDeps,
  options: Pick<QueueWorkerOptions<never>, 'redisUrl' | 'base' | 'metrics' | 'log' | 'lockMs' | 'stalledMs'>,
): QueueWorker[] {
  return [
    createGuardedWorker(deps.breaker, {
      ...options,
      queue: QUEUES.intake,
      schema: intakePayloadSchema,
      processor: createIntakeProcessor(deps),
      concurrency: INTAKE_CONCURRENCY,
    }),
    createGuardedWorker(deps.breaker, {
      ...options,
      queue: QUEUES.sendOutcome,
      schema: sendOutcomePayloadSchema,
      processor: createSendOutcomeProcessor(deps),
      concurrency: OUTCOME_CONCURRENCY,
    }),
    createGuardedWorker(deps.breaker, {
      ...options,
      queue: QUEUES.statusCallback,
      schema: statusCallbackPayloadSchema,
      processor: createStatusCallbackProcessor(deps),
      concurrency: STATUS_CONCURRENCY,
    }),
    createGuardedWorker(deps.breaker, {
      ...options,
      queue: QUEUES.inbound,
      schema: inboundPayloadSchema,
      processor: createInboundProcessor(deps),
      concurrency: INBOUND_CONCURRENCY,
    }),
    createGuardedWorker(deps.breaker, {
      ...options,
      queue: QUEUES.cancel,
      schema: cancelPayloadSchema,
      processor: createCancelProcessor(deps),
      concurrency: CANCEL_CONCURRENCY,
    }),
    createGuardedWorker(deps.breaker, {
      ...options,
      queue: QUEUES.maintenance,
      schema: maintenancePayloadSchema,
      processor: createMaintenanceProcessor(deps, deps.stopping),
      concurrency: MAINTENANCE_CONCURRENCY,
    }),
  ];
}
