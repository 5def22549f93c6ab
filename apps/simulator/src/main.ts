import { parseSenders } from '@tickmark/domain';
import { listen } from '@tickmark/http';
import {
  createLogger,
  createMetrics,
  createShutdown,
  keysUsedBy,
  loadConfig,
  METRICS_PORTS,
  startInternalListener,
  systemClock,
} from '@tickmark/runtime';
import { createSimulatorServer } from './create-simulator-server.ts';
import { parseSettings } from './settings.ts';
import { createSimulator } from './simulator.ts';

const config = loadConfig(keysUsedBy('simulator'), { parse: { TWILIO_SENDERS: parseSenders, SIMULATOR_SETTINGS: parseSettings } });
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
const url = await listen(server, { host: config.LISTEN_HOST, port: config.SIMULATOR_PORT, portKey: 'SIMULATOR_PORT' });
log.info({ url }, 'simulator listens');

createShutdown({
  log,
  phases: [
    { name: 'answer what is under way and stop', run: () => server.close(), deadlineMs: 3_000 },
    { name: 'close the internal listener', run: () => listener.close(), deadlineMs: 1_000 },
  ],
});
