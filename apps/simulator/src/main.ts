import { parseSenders } from '@tickmark/domain';
import {
  createLogger,
  createMetrics,
  createShutdown,
  loadConfig,
  METRICS_PORTS,
  startInternalListener,
  systemClock,
} from '@tickmark/runtime';
import { createSimulatorServer, listen } from './create-simulator-server.ts';
import { parseSettings } from './settings.ts';
import { createSimulator } from './simulator.ts';

const config = loadConfig(
  [
    'LOG_LEVEL',
    'PUBLIC_BASE_URL',
    'SIMULATOR_PORT',
    'METRICS_PORT',
    'LISTEN_HOST',
    'TWILIO_ACCOUNT_SID',
    'TWILIO_API_KEY_SID',
    'TWILIO_API_KEY_SECRET',
    'TWILIO_AUTH_TOKEN',
    'TWILIO_SENDERS',
    'SIMULATOR_SETTINGS',
  ],
  { parse: { TWILIO_SENDERS: parseSenders, SIMULATOR_SETTINGS: parseSettings } },
);
const log = createLogger({ process: 'simulator', level: config.LOG_LEVEL });
const metrics = createMetrics({ process: 'simulator' });
const simulator = createSimulator({
  credentials: {
    accountSid: config.TWILIO_ACCOUNT_SID,
    apiKeySid: config.TWILIO_API_KEY_SID,
    apiKeySecret: () => config.TWILIO_API_KEY_SECRET.reveal(),
    authToken: () => config.TWILIO_AUTH_TOKEN.reveal(),
  },
  senders: config.TWILIO_SENDERS,
  publicBaseUrl: config.PUBLIC_BASE_URL,
  settings: config.SIMULATOR_SETTINGS ?? parseSettings('{}'),
  clock: systemClock,
  log,
});
const server = await createSimulatorServer(simulator, { log, metrics });
const listener = await startInternalListener({
  host: config.LISTEN_HOST,
  port: config.METRICS_PORT ?? METRICS_PORTS.simulator,
  portWasGiven: config.wasGiven('METRICS_PORT'),
  metrics,
  log,
  ready: async () => ({ ready: server.server.listening, reasons: server.server.listening ? [] : ['not listening yet'] }),
});
log.info({ url: await listen(server, config.LISTEN_HOST, config.SIMULATOR_PORT) }, 'simulator listens');

createShutdown({
  log,
  phases: [
    { name: 'stop listening and let callbacks under way end', run: () => server.close(), deadlineMs: 3_000 },
    { name: 'close the internal listener', run: () => listener.close(), deadlineMs: 1_000 },
  ],
});
