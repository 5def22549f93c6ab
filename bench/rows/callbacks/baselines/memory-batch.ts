// Fastify that answers at once and applies what it has in memory in batches. What is in memory when it is killed is lost.
import { createCallbackApplier } from './apply-callbacks.ts';
import { groupEvents } from './group-events.ts';
import { serveCallbacks } from './serve-callbacks.ts';

const applier = createCallbackApplier();
const apply = groupEvents((events) => applier.applyMany(events), { itemsMax: 1_000 });
await serveCallbacks({
  store: (event) => {
    apply(event).catch((error: unknown) => console.error(error));
    return Promise.resolve();
  },
});
