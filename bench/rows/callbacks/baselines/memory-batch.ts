// Fastify that answers at once and applies what it has in memory in batches. What is in memory when it is killed is lost.
import type { StatusEvent } from '@tickmark/domain';
import { createGroupCommit } from '@tickmark/runtime';
import { createCallbackApplier } from './apply-callbacks.ts';
import { serveCallbacks } from './serve-callbacks.ts';

const applier = createCallbackApplier();
const batches = createGroupCommit<StatusEvent, void>({
  site: 'memory-batch',
  itemsMax: 1_000,
  flush: async (events) => {
    await applier.applyMany(events);
    return events.map(() => ({ ok: true, value: undefined }));
  },
  metrics: { groupCommitBatchSize: { labels: () => ({ observe: () => {} }) } },
});
await serveCallbacks({
  store: (event) => {
    batches.commit(event).catch((error: unknown) => console.error(error));
    return Promise.resolve();
  },
});
