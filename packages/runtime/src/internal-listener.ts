import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { withDeadline } from './deadline.ts';
import type { Logger } from './logger.ts';
import type { Metrics, ProcessName } from './metrics.ts';
import { redactText } from './redaction.ts';
import { VERSION } from './version.ts';

/** Where each process shows its metrics and health when METRICS_PORT is not given. */
export const METRICS_PORTS = { ingress: 9464, worker: 9465, console: 9466, simulator: 9467 } as const satisfies Record<ProcessName, number>;

/** Less than the second after which an orchestrator gives a probe up by default. */
const PROBE_DEADLINE_MS = 900;
const SCRAPE_DEADLINE_MS = 5_000;
/** An answer under way at `close` has this long. */
const CLOSE_GRACE_MS = 500;
/** How many ports behind a default one are tried. */
const PORTS_TRIED = 100;

export interface Readiness {
  ready: boolean;
  /** Why not, each in words for an operator; empty when ready. */
  reasons: string[];
}

export interface InternalListenerOptions {
  host: string;
  /** 0 = any free one. */
  port: number;
  /** A given port that is taken is an error; a default one gives way to the next free one. */
  portWasGiven: boolean;
  metrics: Pick<Metrics, 'registry'>;
  log: Pick<Logger, 'info' | 'warn'>;
  ready: () => Promise<Readiness>;
  /** False = restart me. Without it the process lives as long as it answers. */
  live?: () => Promise<boolean>;
  /** Brings gauges up to date; the scrape goes on without it when it fails or takes too long. */
  beforeScrape?: () => Promise<unknown>;
}

export interface InternalListener {
  port: number;
  /** Stops listening; answers under way have half a second. Safe to repeat. */
  close(): Promise<void>;
}

interface Answer {
  status: number;
  type?: string;
  body: string;
}

/**
 * Serves /metrics, /health/live, /health/ready and /version, for the inside of a network only: it asks nobody who they are.
 *
 * A readiness check that fails or hangs is "not ready", with the reason. A liveness check that fails or hangs is "alive": what hangs
 * is a store, and restarting the fleet during an outage would only cut off calls that are under way.
 *
 * @throws Error that says what to do when the port is taken (a given one) or cannot be listened on
 */
export async function startInternalListener(options: InternalListenerOptions): Promise<InternalListener> {
  const server = createServer({ connectionsCheckingInterval: 500, headersTimeout: 3_000, requestTimeout: 5_000, keepAliveTimeout: 5_000 });
  server.on('request', (request, response) => void respond(options, request, response));
  const port = await listenSomewhere(server, options);
  options.log.info({ host: options.host, port }, 'internal listener is up');
  let closed: Promise<void> | undefined;
  return { port, close: () => (closed ??= closeServer(server)) };
}

async function respond(options: InternalListenerOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const {
    status,
    type = 'application/json',
    body,
  } = await answer(options, request.method ?? '', request.url ?? '').catch((error: unknown) => {
    options.log.warn({ err: error }, 'internal listener could not answer');
    return json(500, { error: 'see the log' });
  });
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(body);
}

async function answer(options: InternalListenerOptions, method: string, url: string): Promise<Answer> {
  if (method !== 'GET' && method !== 'HEAD') return json(405, { error: 'only GET' });
  const [path = ''] = url.split('?', 1);
  switch (path) {
    case '/metrics':
      return scrape(options);
    case '/health/live': {
      const live = await checkLive(options);
      return json(live ? 200 : 503, { live });
    }
    case '/health/ready': {
      const readiness = await checkReady(options);
      return json(readiness.ready ? 200 : 503, readiness);
    }
    case '/version':
      return json(200, { version: VERSION, node: process.version });
    default:
      return json(404, { error: 'there are /metrics, /health/live, /health/ready and /version' });
  }
}

async function scrape({ metrics: { registry }, beforeScrape, log }: InternalListenerOptions): Promise<Answer> {
  try {
    if (beforeScrape !== undefined) await withDeadline(beforeScrape(), SCRAPE_DEADLINE_MS);
  } catch (err) {
    log.warn({ err }, 'gauges could not be brought up to date for a scrape');
  }
  return { status: 200, type: registry.contentType, body: await registry.metrics() };
}

async function checkLive({ live, log }: InternalListenerOptions): Promise<boolean> {
  if (live === undefined) return true;
  try {
    return await withDeadline(live(), PROBE_DEADLINE_MS);
  } catch (err) {
    log.warn({ err }, 'liveness check failed and counts as alive');
    return true;
  }
}

async function checkReady({ ready }: InternalListenerOptions): Promise<Readiness> {
  try {
    return await withDeadline(ready(), PROBE_DEADLINE_MS, () => new Error(`it took longer than ${PROBE_DEADLINE_MS} ms`));
  } catch (error) {
    const reason = error instanceof Error ? redactText(error.message.split('\n', 1)[0] ?? '') : 'it failed';
    return { ready: false, reasons: [`the readiness check gave no answer: ${reason}`] };
  }
}

function json(status: number, body: unknown): Answer {
  return { status, body: JSON.stringify(body) };
}

async function listenSomewhere(server: Server, { host, port, portWasGiven, log }: InternalListenerOptions): Promise<number> {
  const last = portWasGiven || port === 0 ? port : Math.min(port + PORTS_TRIED, 65_535);
  for (let candidate = port; ; candidate += 1) {
    try {
      const actual = await listen(server, host, candidate);
      if (candidate !== port) log.warn({ taken: port, port: actual }, 'default metrics port is taken, using the next free one');
      return actual;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EADDRINUSE' && candidate < last) continue;
      throw new Error(explain(code, host, candidate), { cause: error });
    }
  }
}

function explain(code: string | undefined, host: string, port: number): string {
  if (code === 'EADDRINUSE') {
    return `METRICS_PORT ${port} is taken on ${host}: end what listens there, give another port, or 0 for any free one`;
  }
  return `cannot listen on ${host} port ${port} (${code ?? 'unknown reason'}): check LISTEN_HOST and METRICS_PORT`;
}

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
    server.close(() => {
      clearTimeout(cut);
      resolve();
    });
  });
}
