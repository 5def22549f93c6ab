// graphile-worker: one job per callback, stored before the answer (ROLE=ingress; GROUPED=on: many in one call); taken and completed in batches (ROLE=worker), and jobs that
// run at the same time share a statement, which the library leaves to its user.
import type { StatusEvent } from '@tickmark/domain';
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { answerHealth } from '../../../harness/candidate.ts';
import { createCallbackApplier } from './apply-callbacks.ts';
import { groupEvents } from './group-events.ts';
import { endWithParent, serveCallbacks } from './serve-callbacks.ts';

const TASK = 'callback';
const CONCURRENCY = 500;

const connectionString = process.env['DATABASE_URL'] ?? '';
const logger = new Logger(() => (level: string, message: string) => (level === 'error' ? console.error(message) : undefined));

if (process.env['ROLE'] === 'worker') {
  const applier = createCallbackApplier();
  const apply = groupEvents((events) => applier.applyMany(events));
  await run({
    connectionString,
    logger,
    noHandleSignals: true,
    concurrency: CONCURRENCY,
    maxPoolSize: 32,
    taskList: { [TASK]: (payload) => apply(payload as StatusEvent) },
    preset: {
      worker: {
        concurrentJobs: CONCURRENCY,
        localQueue: { size: CONCURRENCY + 1, refetchDelay: { durationMs: 20, threshold: 0 } },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  });
  await answerHealth(Number(process.env['HEALTH_PORT']));
  endWithParent();
} else {
  const utils = await makeWorkerUtils({ connectionString, logger, maxPoolSize: 32 });
  await utils.migrate();
  const addMany = groupEvents((events) => utils.addJobs(events.map((payload) => ({ identifier: TASK, payload }))));
  await serveCallbacks({ store: process.env['GROUPED'] === 'on' ? addMany : (event) => utils.addJob(TASK, event) });
}
