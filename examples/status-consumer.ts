// Receives what became of your messages, instead of asking for each.
//
// With the parts running as the README says under "Run the parts alone" (REDIS_URL is that of .env):
//   node --conditions=@tickmark/source --import tsx --import ./scripts/load-env.mjs examples/status-consumer.ts
import { MESSAGE_STATUSES } from '@tickmark/domain';
import { createStatusConsumer } from '@tickmark/queues';
import { createLogger } from '@tickmark/runtime';

const { REDIS_URL = 'redis://127.0.0.1:6379', QUEUE_PREFIX = 'tickmark' } = process.env;

/** What was told last of each message: a real consumer keeps it beside what the message is about. */
const latest = new Map<string, string>();

const consumer = createStatusConsumer({
  redisUrl: REDIS_URL,
  base: QUEUE_PREFIX,
  log: createLogger({ process: 'status-consumer', level: 'warn' }),
  onStatuses: async (told) => {
    for (const { id, status, errorCode, at } of told) {
      // They come at least once and in no order: the later one by `at` is right.
      if ((latest.get(id) ?? '') >= at) continue;
      latest.set(id, at);
      console.log(`${id} ${status}${errorCode === null ? '' : ` (${errorCode})`}${MESSAGE_STATUSES[status].final ? ', final' : ''}`);
    }
  },
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void consumer.close(5_000));
