import { createServer, type HttpServer } from '@tickmark/http';
import { VERSION, type Logger, type Metrics } from '@tickmark/runtime';
import { addControlRoutes } from './routes/control.ts';
import { addMessageRoutes } from './routes/messages.ts';
import type { Simulator } from './simulator.ts';

/** Twilio's edge keeps idle connections for about a minute; a shorter time would make clients run into closing ones. */
const KEEP_ALIVE_MS = 65_000;
/** Longer than any latency or silence that a client waits for. */
const IDLE_MS = 300_000;

/** The HTTP face of a simulator, not yet listening. */
export async function createSimulatorServer(simulator: Simulator, deps: { log: Logger; metrics: Metrics }): Promise<HttpServer> {
  const server = await createServer({
    ...deps,
    version: VERSION,
    ready: async () => ({ ready: true, reasons: [] }),
    timeouts: { keepAliveTimeoutMs: KEEP_ALIVE_MS, connectionTimeoutMs: IDLE_MS },
  });
  addMessageRoutes(server, simulator, deps.log);
  addControlRoutes(server, simulator);
  server.addHook('onClose', async () => simulator.close());
  return server;
}
