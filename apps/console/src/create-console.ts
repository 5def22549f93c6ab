import type { Database } from '@tickmark/delivery';
import { createAuthenticator, createServer, registerOpenApi, type ApiKey, type HttpServer } from '@tickmark/http';
import type { Producers } from '@tickmark/queues';
import { VERSION, type Logger, type Metrics, type Readiness } from '@tickmark/runtime';
import { checkReadiness } from './readiness.ts';
import { addErrorRoutes } from './routes/errors.ts';
import { addMessageListRoute } from './routes/message-list.ts';
import { addMaintenanceRoutes } from './routes/maintenance.ts';
import { addActionRoutes } from './routes/actions.ts';
import { addMessageRoutes } from './routes/messages.ts';
import { addMetricsRoutes } from './routes/metrics.ts';
import { addSenderRoutes } from './routes/senders.ts';
import { addSuppressionRoutes } from './routes/suppressions.ts';
import { addTaskRoutes } from './routes/tasks.ts';

export interface ConsoleDeps {
  db: Database;
  producers: Pick<Producers, 'check' | 'addMaintenance'>;
  metrics: Metrics;
  log: Logger;
}

export interface ConsoleSettings {
  /** Read at each use, because keys may change while the process runs. */
  apiKeys: () => readonly ApiKey[];
  trustProxy: number | string[] | false;
}

export interface Console {
  server: HttpServer;
  /** Redis and Postgres answer and the migrations are there; else every reason why not. */
  readiness(): Promise<Readiness>;
}

/** The query API for staff, not yet listening. */
export async function createConsole({ db, producers, metrics, log }: ConsoleDeps, settings: ConsoleSettings): Promise<Console> {
  const readiness = () => checkReadiness(db, producers);
  const server = await createServer({ log, metrics, ready: readiness, version: VERSION, trustProxy: settings.trustProxy });
  await registerOpenApi(server, { title: 'Tickmark console', version: VERSION });
  const authenticator = await createAuthenticator(server, { keys: settings.apiKeys });
  addMessageListRoute(server, { db, log, authenticator, producers: () => settings.apiKeys().map(({ name }) => name) });
  addMessageRoutes(server, { db, authenticator });
  addMetricsRoutes(server, { db, authenticator });
  addErrorRoutes(server, { authenticator });
  addSenderRoutes(server, { db, authenticator });
  addSuppressionRoutes(server, { db, authenticator });
  addTaskRoutes(server, { db, authenticator });
  addMaintenanceRoutes(server, { db, producers, log, authenticator });
  addActionRoutes(server, { db, producers, log, authenticator });
  return { server, readiness };
}
