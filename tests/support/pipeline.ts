import { createHash } from 'node:crypto';
import { createDatabase, type Database } from '@tickmark/delivery';
import {
  freePort,
  randomApiKey,
  randomPhone,
  randomToken,
  spawnProcess,
  testDatabase,
  testFolder,
  testRedis,
  type SpawnedProcess,
} from '@tickmark/testing';

export type AppName = 'ingress' | 'worker' | 'console' | 'simulator';

export interface PipelineOptions {
  /** What runs, one process each; all four unless told. */
  apps?: readonly AppName[];
  /** Messages per second of each sender. */
  mps?: Record<keyof Pipeline['senders'], number>;
  /** Added to the environment of every process. */
  env?: Record<string, string>;
}

export interface Pipeline {
  db: Database;
  apps: Partial<Record<AppName, SpawnedProcess>>;
  urls: Record<Exclude<AppName, 'worker'>, string>;
  /** Where each process shows its metrics and health. */
  internal: Record<AppName, string>;
  /** Addresses by alias: two WhatsApp senders and a Messaging Service. */
  senders: { support: string; shop: string; news: string };
  /** The environment of every process, for a test that starts another one. */
  env: Record<string, string>;
  /** One worker more, once it is ready; it ends with the pipeline unless the test ends it. */
  startWorker(env?: Record<string, string>): Promise<SpawnedProcess>;
  /** One ingress more, once it is ready, at an address of its own; it ends with the pipeline. */
  startIngress(env?: Record<string, string>): Promise<string>;
  /** Everything that must stand in no metric label. */
  secrets: { accountSid: string; apiKey: string };
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  ledger(query?: string): Promise<Ledger>;
  control(path: string, method: string, body?: unknown): Promise<Response>;
  stop(): Promise<void>;
}

export interface Ledger {
  creates: {
    sid: string | null;
    m: string | null;
    a: number | null;
    to: string;
    from: string;
    /** ISO 8601: when the call came in. */
    at: string;
    outcome: 'created' | 'refused' | 'created-answer-lost';
    httpStatus: number | null;
  }[];
  callbacks: { sid: string; status: string; httpStatus: number | null; tries: number }[];
}

const ALL_APPS: readonly AppName[] = ['ingress', 'worker', 'console', 'simulator'];
const MPS = { support: 80, shop: 80, news: 400 };
/** The simulator ends before the ingress, so that no callback meets a closed door and is repeated. */
const ORDER_OF_END: readonly AppName[] = ['worker', 'simulator', 'ingress', 'console'];

/** The apps as processes of their own, on a database and a corner of Redis of their own. */
export async function startPipeline(options: PipelineOptions = {}): Promise<Pipeline> {
  const { apps: names = ALL_APPS, mps = MPS, env: extraEnv = {} } = options;
  const database = await testDatabase();
  const apiKey = randomApiKey();
  const senders = { support: `whatsapp:${randomPhone()}`, shop: `whatsapp:${randomPhone()}`, news: `MG${randomToken()}` };
  const { metrics, ...ports } = await choosePorts();
  const redis = testRedis();
  const env = { ...environment({ database, redis, apiKey, senders, mps, ports }), ...extraEnv };
  const internal = mapValues(metrics, (port) => `http://127.0.0.1:${port}`);
  const urls = mapValues(ports, (port) => `http://127.0.0.1:${port}`);
  const spawn = (name: AppName, port: number, more: Record<string, string> = {}) =>
    spawnProcess({ entry: `apps/${name}/src/main.ts`, env: { ...env, ...more, METRICS_PORT: String(port) } });
  const apps: Pipeline['apps'] = Object.fromEntries(names.map((name) => [name, spawn(name, metrics[name])]));
  const added: SpawnedProcess[] = [];
  const add = async (name: AppName, more: Record<string, string> = {}) => {
    const port = await freePort();
    const app = spawn(name, port, more);
    added.push(app);
    await app.waitForReady(`http://127.0.0.1:${port}/health/ready`, { timeoutMs: 90_000 });
    return app;
  };
  const db = createDatabase({ url: env['DATABASE_URL'] ?? '', prepare: true, max: 2, applicationName: 'pipeline-test' });
  const stop = async () => {
    await Promise.all(added.map((app) => app.kill()));
    for (const name of ORDER_OF_END) await apps[name]?.kill();
    await db.close();
    // Of the consumers that most tests do not have.
    await redis.dropQueue('inbound-message');
    await redis.dropQueue('message-status');
    await database.drop();
  };
  try {
    await Promise.all(names.map((name) => apps[name]?.waitForReady(`${internal[name]}/health/ready`, { timeoutMs: 90_000 })));
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
    secrets: { accountSid: env['TWILIO_ACCOUNT_SID'] ?? '', apiKey },
    startWorker: (more) => add('worker', more),
    startIngress: async (more) => {
      const port = await freePort();
      await add('ingress', { ...more, INGRESS_PORT: String(port) });
      return `http://127.0.0.1:${port}`;
    },
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

interface Parts {
  database: { url: string };
  redis: { redisUrl: string; base: string };
  apiKey: string;
  senders: Pipeline['senders'];
  mps: Record<keyof Pipeline['senders'], number>;
  ports: Record<Exclude<AppName, 'worker'>, number>;
}

function environment({ database, redis, apiKey, senders, mps, ports }: Parts): Record<string, string> {
  return {
    TWILIO_MODE: 'simulator',
    LOG_LEVEL: 'debug',
    DATABASE_URL: database.url,
    REDIS_URL: redis.redisUrl,
    QUEUE_PREFIX: redis.base,
    PUBLIC_BASE_URL: `http://127.0.0.1:${ports.ingress}`,
    TWILIO_BASE_URL: `http://127.0.0.1:${ports.simulator}`,
    TWILIO_ACCOUNT_SID: `AC${randomToken()}`,
    TWILIO_API_KEY_SID: `SK${randomToken()}`,
    TWILIO_API_KEY_SECRET: randomToken(),
    TWILIO_AUTH_TOKEN: randomToken(),
    TWILIO_SENDERS: (['support', 'shop', 'news'] as const).map((alias) => `${alias}@${senders[alias]}=${mps[alias]}`).join(','),
    API_KEYS: `shop:${createHash('sha256').update(apiKey).digest('hex')}:send+read`,
    SPOOL_DIR: testFolder('spool'),
    INGRESS_PORT: String(ports.ingress),
    CONSOLE_PORT: String(ports.console),
    SIMULATOR_PORT: String(ports.simulator),
  };
}

/** All at once, so that they differ. */
async function choosePorts() {
  const [ingress = 0, console_ = 0, simulator = 0, ...more] = await Promise.all(Array.from({ length: 7 }, () => freePort()));
  const metrics = Object.fromEntries(ALL_APPS.map((name, index) => [name, more[index]])) as Record<AppName, number>;
  return { ingress, console: console_, simulator, metrics };
}

function mapValues<Name extends string, From, To>(values: Record<Name, From>, map: (value: From) => To): Record<Name, To> {
  return Object.fromEntries(Object.entries<From>(values).map(([name, value]) => [name, map(value)])) as Record<Name, To>;
}

function post(url: string, body: unknown, headers: Record<string, string>): Promise<Response> {
  return fetch(url, { method: 'POST', body: JSON.stringify(body), headers: { 'content-type': 'application/json', ...headers } });
}
