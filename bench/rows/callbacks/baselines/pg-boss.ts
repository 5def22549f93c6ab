// pg-boss: one job per callback, stored before the answer (ROLE=ingress; GROUPED=on: many in one insert); taken and completed in batches, each applied by one statement
// (ROLE=worker).
import type { StatusEvent } from '@tickmark/domain';
import PgBoss from 'pg-boss';
import { answerHealth } from '../../../harness/candidate.ts';
import { createCallbackApplier } from './apply-callbacks.ts';
import { groupEvents } from './group-events.ts';
import { endWithParent, serveCallbacks } from './serve-callbacks.ts';

const QUEUE = 'callbacks';
const BATCH_MAX = 1_000;

const isWorker = process.env['ROLE'] === 'worker';
const boss = new PgBoss({
  connectionString: process.env['DATABASE_URL'] ?? '',
  max: 32,
  schedule: false,
  // One of the two keeps house, as its manual says of many instances.
  supervise: isWorker,
});
boss.on('error', (error) => console.error(error));
await boss.start();
await boss.createQueue(QUEUE);

if (isWorker) {
  const applier = createCallbackApplier();
  // The library's own `work` with the same batch size sleeps between two polls; this never does while there is work.
  void (async () => {
    for (;;) {
      const jobs = await boss.fetch<StatusEvent>(QUEUE, { batchSize: BATCH_MAX, priority: false });
      if (jobs.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      else {
        await applier.applyMany(jobs.map(({ data }) => data));
        await boss.complete(
          QUEUE,
          jobs.map(({ id }) => id),
        );
      }
    }
  })();
  await answerHealth(Number(process.env['HEALTH_PORT']));
  endWithParent();
} else {
  const insert = groupEvents((events) => boss.insert(events.map((data) => ({ name: QUEUE, data }))));
  await serveCallbacks({ store: process.env['GROUPED'] === 'on' ? insert : (event) => boss.send(QUEUE, event) });
}
