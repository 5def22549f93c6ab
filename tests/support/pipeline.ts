import { createHash } from 'node:crypto';
import { createDatabase, type Database } from '@tickmark/delivery';
import {
  freePort,
  randomApiKey,
  randomPhone,
  randomToken,
  spawnProcess,
  testDatabase,
  testRedis,
  type SpawnedProcess,
} from '@tickmark/testing';

export type AppName = 'ingress' | 'worker' | 'console' | 'simulator';

export interface Pipeline {
  db: Database;
  apps: Record<AppName, SpawnedProcess>;
  urls: Record<Exclude<AppName, 'worker'>, string>;
  /** Where each process shows its metrics and health. */
  internal: Record<AppName, string>;
  /** Addresses by alias: two WhatsApp senders and a Messaging Service. */
  senders: { support: string; shop: string; news: string };
  /** The environment of every process, for a test that starts another one. */
  env: Record<string, string>;
  /** Everything that must stand in no metric label. */
  secrets: { accountSid: string; apiKey: string };
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  ledger(query?: string): Promise<Ledger>;
  control(path: string, method: string, body?: unknown): Promise<Response>;
  stop(): Promise<void>;
}

export interface Ledger {
  creates: { sid: string | null; m: string | null; a: number | null; to: string; outcome: string; httpStatus: number | null }[];
  callbacks: { sid: string; status: string; httpStatus: number | null; tries: number }[];
}

/** All four apps as processes of their own, on a database and a corner of Redis of their own. */
export async function startPipeline(): Promise<Pipeline> {
  const database = await testDatabase();
  const redis = testRedis();
  const apiKey = randomApiKey();
  const senders = { support: `whatsapp:${randomPhone()}`, shop: `whatsapp:${randomPhone()}`, news: `MG${randomToken()}` };
  const [ingress, console_, simulator, ...metrics] = await Promise.all(Array.from({ length: 7 }, () => freePort()));
  const ports = { ingress, console: console_, simulator };
  const accountSid = `AC${randomToken()}`;
  const env = {
    TWILIO_MODE: 'simulator',
    LOG_LEVEL: 'debug',
    DATABASE_URL: database.url,
    REDIS_URL: redis.redisUrl,
    QUEUE_PREFIX: redis.base,
    PUBLIC_BASE_URL: `http://127.0.0.1:${ports.ingress}`,
    TWILIO_BASE_URL: `http://127.0.0.1:${ports.simulator}`,
    TWILIO_ACCOUNT_SID: accountSid,
    TWILIO_API_KEY_SID: `SK${randomToken()}`,
    TWILIO_API_KEY_SECRET: randomToken(),
    TWILIO_AUTH_TOKEN: randomToken(),
    TWILIO_SENDERS: `support@${senders.support}=80,shop@${senders.shop}=80,news@${senders.news}=400`,
    API_KEYS: `shop:${createHash('sha256').update(apiKey).digest('hex')}:send+read`,
    INGRESS_PORT: String(ports.ingress),
    CONSOLE_PORT: String(ports.console),
    SIMULATOR_PORT: String(ports.simulator),
  };
  const names = ['ingress', 'worker', 'console', 'simulator'] as const;
  const internal = Object.fromEntries(names.map((name, index) => [name, `http://127.0.0.1:${metrics[index]}`])) as Record<AppName, string>;
  const apps = Object.fromEntries(
    names.map((name, index) => [
      name,
      spawnProcess({ entry: `apps/${name}/src/main.ts`, env: { ...env, METRICS_PORT: String(metrics[index]) } }),
    ]),
  ) as Record<AppName, SpawnedProcess>;
  const urls = {
    ingress: env.PUBLIC_BASE_URL,
    console: `http://127.0.0.1:${ports.console}`,
    simulator: env.TWILIO_BASE_URL,
  };
  const db = createDatabase({ url: database.url, prepare: true, max: 2, applicationName: 'pipeline-test' });
  const stop = async () => {
    // The simulator ends before the ingress, so that no callback meets a closed door and is repeated.
    for (const name of ['worker', 'simulator', 'ingress', 'console'] as const) await apps[name].kill();
    await db.close();
    await database.drop();
  };
  try {
    await Promise.all(names.map((name) => apps[name].waitForReady(`${internal[name]}/health/ready`, { timeoutMs: 90_000 })));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    db,
    apps,
    urls,
    internal,
    senders,
    env,
    secrets: { accountSid, apiKey },
    post: (path, body, headers = {}) => post(`${urls.ingress}${path}`, body, { authorization: `Bearer ${apiKey}`, ...headers }),
    ledger: async (query = '') => (await (await fetch(`${urls.simulator}/_sim/ledger${query}`)).json()) as Ledger,
    control: (path, method, body) =>
      fetch(`${urls.simulator}/_sim/${path}`, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      }),
    stop,
  };
}

function post(url: string, body: unknown, headers: Record<string, string>): Promise<Response> {
  return fetch(url, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });
}
