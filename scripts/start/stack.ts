import { createHash, randomBytes } from 'node:crypto';
import { migrateDatabase } from '@tickmark/delivery';
import { startServices } from '@tickmark/testing';
import { startApp, waitUntilReady, type AppName, type AppProcess } from './app-processes.ts';
import type { Addresses } from './campaign.ts';
import { choosePorts, type Ports } from './choose-ports.ts';

/** The senders of the example campaign. Their names are what its column `from` says. */
export const SENDERS = {
  support: { address: 'whatsapp:+14155238886', mps: 80 },
  shop: { address: 'whatsapp:+14155238887', mps: 80 },
  news: { address: 'MG00000000000000000000000000000001', mps: 400 },
} as const;

export interface Stack extends Addresses {
  databaseUrl: string;
  consoleUrl: string;
  metricsUrls: Record<AppName, string>;
  logFolder: string;
  /** Settles when one of the processes ends that should not. */
  broken: Promise<string>;
}

/** Undone in reverse order at the end, whatever the end was. */
export type Cleanups = (() => Promise<unknown>)[];

/** Starts services and apps. Everything that was started adds its end to `cleanups` at once, so that a stop in the middle leaves nothing. */
export async function startStack(dataDir: string, cleanups: Cleanups, onProgress: (text: string) => void): Promise<Stack> {
  const given = { databaseUrl: process.env['DATABASE_URL'], redisUrl: process.env['REDIS_URL'] };
  const services = await startServices({
    dataDir,
    ...(given.databaseUrl ? { databaseUrl: given.databaseUrl } : {}),
    ...(given.redisUrl ? { redisUrl: given.redisUrl } : {}),
    onProgress,
  });
  cleanups.push(() => services.stop());
  const { applied } = await migrateDatabase({ url: services.databaseUrl }).catch((error: unknown) => {
    if (!given.databaseUrl) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `the PostgreSQL of DATABASE_URL (from .env or the environment) cannot be used: ${reason}. Start it, or take DATABASE_URL and REDIS_URL away: npm start brings its own.`,
      { cause: error },
    );
  });
  onProgress(`database migrated (${applied} new migrations)`);

  const ports = await choosePorts();
  cleanups.push(() => Promise.resolve(ports.release()));
  const apiKey = randomBytes(24).toString('base64url');
  const env = { ...appEnvironment(services, ports, apiKey), SPOOL_DIR: `${dataDir}/spool` };
  const logFolder = `${dataDir}/logs`;
  const apps: AppProcess[] = [];
  cleanups.push(() => stopInOrder(apps));
  for (const name of ['simulator', 'worker', 'ingress', 'console'] as const) {
    const app = startApp(name, { ...env, METRICS_PORT: String(ports.metrics[name]) }, logFolder);
    services.watch(app.pid);
    apps.push(app);
  }
  await Promise.all(apps.map((app) => waitUntilReady(app, ports.metrics[app.name])));
  onProgress('simulator, worker, ingress and console are ready');
  const url = (port: number) => `http://127.0.0.1:${port}`;
  return {
    databaseUrl: services.databaseUrl,
    ingressUrl: url(ports.ingress),
    consoleUrl: url(ports.console),
    simulatorUrl: url(ports.simulator),
    metricsUrls: {
      ingress: `${url(ports.metrics.ingress)}/metrics`,
      worker: `${url(ports.metrics.worker)}/metrics`,
      console: `${url(ports.metrics.console)}/metrics`,
      simulator: `${url(ports.metrics.simulator)}/metrics`,
    },
    apiKey,
    logFolder,
    broken: Promise.race(apps.map((app) => app.ended)),
  };
}

/** First what brings new work, last what the others still talk to. */
async function stopInOrder(apps: readonly AppProcess[]): Promise<void> {
  for (const name of ['console', 'worker', 'simulator', 'ingress']) {
    await apps.find((app) => app.name === name)?.stop();
  }
}

function appEnvironment(services: { databaseUrl: string; redisUrl: string }, ports: Ports, apiKey: string): Record<string, string> {
  return {
    TWILIO_MODE: 'simulator',
    LOG_LEVEL: 'info',
    DATABASE_URL: services.databaseUrl,
    REDIS_URL: services.redisUrl,
    PUBLIC_BASE_URL: `http://127.0.0.1:${ports.ingress}`,
    TWILIO_BASE_URL: `http://127.0.0.1:${ports.simulator}`,
    TWILIO_ACCOUNT_SID: `AC${randomBytes(16).toString('hex')}`,
    TWILIO_API_KEY_SID: `SK${randomBytes(16).toString('hex')}`,
    TWILIO_API_KEY_SECRET: randomBytes(16).toString('hex'),
    TWILIO_AUTH_TOKEN: randomBytes(16).toString('hex'),
    TWILIO_SENDERS: Object.entries(SENDERS)
      .map(([alias, { address, mps }]) => `${alias}@${address}=${mps}`)
      .join(','),
    API_KEYS: `example:${createHash('sha256').update(apiKey).digest('hex')}:send+read+admin`,
    INGRESS_PORT: String(ports.ingress),
    CONSOLE_PORT: String(ports.console),
    SIMULATOR_PORT: String(ports.simulator),
  };
}
