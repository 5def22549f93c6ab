import { parseAllowedRecipients, parseSenders } from '@tickmark/domain';
import { listen, parseApiKeys } from '@tickmark/http';
import { createProducers, DEADLINES } from '@tickmark/queues';
import {
  createFailpoints,
  createLogger,
  createMetrics,
  createShutdown,
  keysUsedBy,
  loadConfig,
  METRICS_PORTS,
  openSpool,
  startInternalListener,
  systemClock,
} from '@tickmark/runtime';
import { deliverSpooled } from './commit-or-spool.ts';
import { createIngress } from './create-ingress.ts';

const config = loadConfig(keysUsedBy('ingress'), {
  parse: { TWILIO_SENDERS: parseSenders, API_KEYS: parseApiKeys, ALLOWED_RECIPIENTS: parseAllowedRecipients },
});
const log = createLogger({ process: 'ingress', level: config.LOG_LEVEL });
const metrics = createMetrics({ process: 'ingress' });
const redis = { redisUrl: config.REDIS_URL.reveal(), base: config.QUEUE_PREFIX };
const producers = createProducers({ ...redis, deadlineMs: DEADLINES.redisMs, log });
const spool = await openSpool({
  dir: config.SPOOL_DIR,
  bytesMax: config.SPOOL_BYTES_MAX,
  deliver: deliverSpooled(producers),
  failpoints: createFailpoints(config.FAILPOINTS, log),
  metrics,
  log,
});
const ingress = await createIngress(
  { producers, spool, metrics, clock: systemClock, log },
  {
    mode: config.TWILIO_MODE,
    publicBaseUrl: config.PUBLIC_BASE_URL,
    trustProxy: config.TRUST_PROXY,
    senders: config.TWILIO_SENDERS,
    apiKeys: () => config.API_KEYS,
    rateLimitPerKey: config.RATE_LIMIT_PER_KEY,
    allowedRecipients: () => config.ALLOWED_RECIPIENTS,
    accountSid: config.TWILIO_ACCOUNT_SID,
    authTokens: () => [config.TWILIO_AUTH_TOKEN.reveal(), config.TWILIO_AUTH_TOKEN_NEXT?.reveal() ?? ''],
  },
);
const listener = await startInternalListener({
  host: config.LISTEN_HOST,
  port: config.METRICS_PORT ?? METRICS_PORTS.ingress,
  portWasGiven: config.wasGiven('METRICS_PORT'),
  metrics,
  log,
  ready: () => ingress.readiness(),
});
await listen(ingress.server, { host: config.LISTEN_HOST, port: config.INGRESS_PORT, portKey: 'INGRESS_PORT' });

createShutdown({
  log,
  phases: [
    { name: 'stop accepting and answer what is under way', run: () => ingress.server.close(), deadlineMs: 8_000 },
    { name: 'write what is collected', run: () => ingress.drain(), deadlineMs: 3_000 },
    { name: 'close the spool', run: () => spool.close(), deadlineMs: 1_000 },
    { name: 'close the connection to Redis', run: () => producers.close(), deadlineMs: 2_000 },
    { name: 'close the internal listener', run: () => listener.close(), deadlineMs: 1_000 },
  ],
});
