// graphile-worker: one job per callback, stored before the answer (ROLE=ingress); taken and completed in batches (ROLE=worker), and jobs that
// run at the same time share a statement, which the library leaves to its user.
import type { StatusEvent } from '@tickmark/domain';
import { createGroupCommit } from '@tickmark/runtime';
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import { answerHealth } from '../../../harness/candidate.ts';
import { createCallbackApplier } from './apply-callbacks.ts';
import { endWithParent, serveCallbacks } from './serve-callbacks.ts';

const TASK = 'callback';
const CONCURRENCY = 500;

const connectionString = process.env['DATABASE_URL'] ?? '';
const logger = new Logger(() => (level: string, message: string) => (level === 'error' ? console.error(message) : undefined));

if (process.env['ROLE'] === 'worker') {
  const applier = createCallbackApplier();
  const batches = createGroupCommit<StatusEvent, void>({
    site: 'graphile-worker',
    collectTurn: true,
    flush: async (events) => {
      await applier.applyMany(events);
      return events.map(() => ({ ok: true, value: undefined }));
    },
    metrics: { groupCommitBatchSize: { labels: () => ({ observe: () => {} }) } },
  });
  await run({
    connectionString,
    logger,
    noHandleSignals: true,
    concurrency: CONCURRENCY,
    maxPoolSize: 32,
    taskList: { [TASK]: (payload) => batches.commit(payload as StatusEvent) },
    preset: {
      worker: { concurrentJobs: CONCURRENCY, localQueue: { size: CONCURRENCY + 1 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 },
    },
  });
  await answerHealth(Number(process.env['HEALTH_PORT']));
  endWithParent();
} else {
  const utils = await makeWorkerUtils({ connectionString, logger, maxPoolSize: 32 });
  await utils.migrate();
  await serveCallbacks({ store: (event) => utils.addJob(TASK, event) });
}
