import { createDatabase } from '@tickmark/delivery';
import { listen, parseApiKeys } from '@tickmark/http';
import { createProducers } from '@tickmark/queues';
import {
  createLogger,
  createMetrics,
  createShutdown,
  keysUsedBy,
  loadConfig,
  METRICS_PORTS,
  startInternalListener,
} from '@tickmark/runtime';
import { createConsole } from './create-console.ts';

/** People and scripts ask here; the worker needs the database more. */
const DATABASE_CONNECTIONS_MAX = 5;

const config = loadConfig(keysUsedBy('console'), { parse: { API_KEYS: parseApiKeys } });
const log = createLogger({ process: 'console', level: config.LOG_LEVEL });
const metrics = createMetrics({ process: 'console' });
const db = createDatabase({
  url: config.DATABASE_URL.reveal(),
  prepare: config.DATABASE_PREPARE,
  max: DATABASE_CONNECTIONS_MAX,
  applicationName: 'tickmark-console',
});
const producers = createProducers({ redisUrl: config.REDIS_URL.reveal(), base: config.QUEUE_PREFIX, log });
const app = await createConsole({ db, producers, metrics, log }, { apiKeys: () => config.API_KEYS, trustProxy: config.TRUST_PROXY });
const listener = await startInternalListener({
  host: config.LISTEN_HOST,
  port: config.METRICS_PORT ?? METRICS_PORTS.console,
  portWasGiven: config.wasGiven('METRICS_PORT'),
  metrics,
  log,
  ready: () => app.readiness(),
});
await listen(app.server, { host: config.LISTEN_HOST, port: config.CONSOLE_PORT, portKey: 'CONSOLE_PORT' });

createShutdown({
  log,
  phases: [
    { name: 'stop accepting and answer what is under way', run: () => app.server.close(), deadlineMs: 10_000 },
    { name: 'close connections', run: () => Promise.all([producers.close(), db.close(2_000)]), deadlineMs: 3_000 },
    { name: 'close the internal listener', run: () => listener.close(), deadlineMs: 1_000 },
  ],
});
