import type { MessagePolicy, Sender } from '@tickmark/domain';
import { createAuthenticator, createServer, registerOpenApi, type ApiKey, type HttpServer } from '@tickmark/http';
import { createMessageAcceptor, DEADLINES, type Deadlines, type Producers } from '@tickmark/queues';
import { VERSION, type Clock, type Logger, type Metrics, type Readiness, type Spool } from '@tickmark/runtime';
import { createCommitOrSpool, type WebhookKind } from './commit-or-spool.ts';
import { createCommits } from './commits.ts';
import { createReadiness } from './readiness.ts';
import { addCancelMessageRoute } from './routes/cancel-message.ts';
import { addInboundRoute } from './routes/inbound.ts';
import { addMessageBatchRoute } from './routes/message-batch.ts';
import { addMessageRoutes } from './routes/messages.ts';
import { addStatusCallbackRoute } from './routes/status-callback.ts';

export interface IngressDeps {
  producers: Producers;
  spool: Spool<WebhookKind>;
  metrics: Metrics;
  clock: Clock;
  log: Logger;
}

/** Functions are read at each use, because their values may change while the process runs. */
export interface IngressSettings {
  mode: MessagePolicy['mode'];
  publicBaseUrl: string;
  trustProxy: number | string[] | false;
  senders: readonly Sender[];
  apiKeys: () => readonly ApiKey[];
  rateLimitPerKey: number;
  allowedRecipients: MessagePolicy['allowedRecipients'];
  accountSid: string;
  authTokens: () => readonly string[];
  /** Those of every installation unless told. */
  deadlines?: Deadlines;
  /** The same. */
  inFlightMax?: number;
}

export interface Ingress {
  server: HttpServer;
  readiness(): Promise<Readiness>;
  /** Resolves when everything that was taken in is answered for. After the server has closed. */
  drain(): Promise<void>;
}

/** The HTTP server that producers and Twilio talk to, not yet listening. It asks no database and holds no API key of Twilio. */
export async function createIngress(deps: IngressDeps, settings: IngressSettings): Promise<Ingress> {
  const { producers, metrics, log } = deps;
  const { deadlines = DEADLINES } = settings;
  const readiness = createReadiness(deps);
  const { trustProxy, inFlightMax } = settings;
  const limits = inFlightMax === undefined ? {} : { inFlightMax };
  const server = await createServer({ log, metrics, ready: readiness, version: VERSION, trustProxy, ...limits });
  await registerOpenApi(server, { title: 'Tickmark ingress', version: VERSION });
  const authenticator = await createAuthenticator(server, { keys: settings.apiKeys, rateLimitPerKey: settings.rateLimitPerKey });
  const commits = createCommits({ producers, metrics, deadlineMs: deadlines.commitMs });
  const durable = createCommitOrSpool({ ...deps, commits });
  const acceptor = createMessageAcceptor({ ...deps, deadlines });

  for (const { prefix, baseUrl } of mountPoints(settings.publicBaseUrl)) {
    const shared = { ...deps, durable, hidden: prefix !== '' };
    const webhook = { ...shared, baseUrl, authTokens: settings.authTokens, accountSid: settings.accountSid };
    await server.register(async (scope) => addStatusCallbackRoute(scope, webhook), { prefix });
    await server.register(async (scope) => addInboundRoute(scope, webhook), { prefix });
    const messages = { ...shared, acceptor, authenticator, policy: settings, cancelDeadlineMs: deadlines.cancelMs };
    await server.register(async (scope) => addMessageRoutes(scope, messages), { prefix });
    await server.register(async (scope) => addMessageBatchRoute(scope, messages), { prefix });
    await server.register(async (scope) => addCancelMessageRoute(scope, messages), { prefix });
  }
  const drain = async () => {
    await Promise.all([acceptor.drain(), commits.drain()]);
    await durable.close();
  };
  return { server, readiness, drain };
}

/**
 * Where the routes hang. Of a public URL with a path, a proxy may remove that path or pass it on: both work, and in each case the
 * signed URL is the public one.
 */
function mountPoints(publicBaseUrl: string): { prefix: string; baseUrl: string }[] {
  const { origin, pathname } = new URL(publicBaseUrl);
  const prefix = pathname.replace(/\/+$/, '');
  const root = { prefix: '', baseUrl: publicBaseUrl };
  return prefix === '' ? [root] : [root, { prefix, baseUrl: origin }];
}
