import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { FromHost, HostOptions, ToHost } from './host-protocol.ts';
import { repositoryFolder } from './repository.ts';

export interface StartServicesOptions {
  /** Data that outlives the process (`.data/` of `npm start`). Without it a temp folder, removed at the end. */
  dataDir?: string;
  /** A server that is there already: none is started. */
  databaseUrl?: string;
  redisUrl?: string;
  /** False: none is started, its address is the empty text. */
  postgres?: boolean;
  redis?: boolean;
  /** A folder with `bin/postgres` and `bin/initdb`, for another major version than the embedded one. */
  postgresBinaries?: string;
  /** Where the servers' logs go; beside the data unless told. */
  logFolder?: string;
  onProgress?: (text: string) => void;
}

export interface Services {
  databaseUrl: string;
  redisUrl: string;
  /** The processes that were started for the caller, the host first, then PostgreSQL, then Redis; empty when none was. */
  pids: readonly number[];
  /** The services outlive these processes when the caller dies, for 30 s at most, so that they can drain. */
  watch: (pid: number) => void;
  /** Stops what was started and returns when it has ended. Safe to repeat. */
  stop: () => Promise<void>;
}

/**
 * Starts a real PostgreSQL and a real Redis under a process of their own, which ends them when the caller ends, however
 * that happens.
 *
 * @throws when one of them cannot be started; the other is stopped then
 */
export async function startServices(options: StartServicesOptions = {}): Promise<Services> {
  const { databaseUrl: givenDatabase, redisUrl: givenRedis, onProgress, postgres = true, redis = true, ...rest } = options;
  const wanted: HostOptions = { ...rest, postgres: postgres && !givenDatabase, redis: redis && !givenRedis };
  const given = { databaseUrl: (postgres && givenDatabase) || '', redisUrl: (redis && givenRedis) || '' };
  if (!wanted.postgres && !wanted.redis) return { ...given, pids: [], watch: () => {}, stop: () => Promise.resolve() };
  const host = forkHost();
  const ready = await askToStart(host, wanted, onProgress);
  // The host does not keep the caller's process alive: a caller that ends without stop() has its services ended by the host.
  host.unref();
  host.channel?.unref();
  (host.stderr as Socket | null)?.unref();
  return {
    databaseUrl: ready.databaseUrl || given.databaseUrl,
    redisUrl: ready.redisUrl || given.redisUrl,
    pids: [host.pid ?? 0, ...ready.pids],
    watch: (pid) => tell(host, { type: 'watch', pid }),
    stop: () => stopHost(host),
  };
}

function forkHost(): ChildProcess {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  return fork(fileURLToPath(new URL('services-host.ts', import.meta.url)), {
    cwd: repositoryFolder,
    detached: true,
    execArgv: ['--conditions=@tickmark/source', '--import', tsx],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

function askToStart(host: ChildProcess, options: HostOptions, onProgress?: (text: string) => void): Promise<FromHost & { type: 'ready' }> {
  return new Promise((resolve, reject) => {
    host.on('message', (message: FromHost) => {
      if (message.type === 'progress') onProgress?.(message.text);
      else if (message.type === 'ready') resolve(message);
      else reject(new Error(message.message));
    });
    host.once('error', reject);
    host.once('exit', (code, signal) =>
      reject(new Error(`the services' host ended while it started them (${signal ?? `exit code ${code}`})`)),
    );
    tell(host, { type: 'start', options });
  });
}

async function stopHost(host: ChildProcess): Promise<void> {
  if (host.exitCode !== null || host.signalCode !== null) return;
  host.ref();
  const exited = once(host, 'exit');
  tell(host, { type: 'stop' });
  await exited;
}

function tell(host: ChildProcess, message: ToHost): void {
  // A host that is gone has stopped the services; there is nobody to tell and nothing to do.
  if (host.connected) host.send(message, () => {});
}
