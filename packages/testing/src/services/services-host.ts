// The process that owns the embedded services. It runs detached from the terminal, so that Ctrl-C does not reach it, and
// ends when it is told to or when the IPC channel to its parent closes, which the system does however the parent dies.
import { setTimeout as delay } from 'node:timers/promises';
import { startPostgres } from './embedded-postgres.ts';
import type { EmbeddedServer } from './embedded-postgres.ts';
import { startRedis } from './embedded-redis.ts';
import { isRunning } from './file-lock.ts';
import type { FromHost, HostOptions, ToHost } from './host-protocol.ts';
import { openServiceFolders, type ServiceFolders } from './service-folders.ts';

/** Apps get this long to drain before the services go away under them. */
const WATCHED_PATIENCE_MS = 30_000;

const watched = new Set<number>();
const servers: EmbeddedServer[] = [];
let folders: ServiceFolders | undefined;
let starting: Promise<unknown> = Promise.resolve();
let ending: Promise<void> | undefined;

process.on('message', (message: ToHost) => {
  if (message.type === 'start') starting = start(message.options).catch(fail);
  else if (message.type === 'watch') watched.add(message.pid);
  else void end({ waitForWatched: false });
});
// The parent reads our standard error; when it is gone, writing there fails, and nobody minds.
process.stderr.on('error', () => {});
process.on('uncaughtException', (error) => {
  console.error(error);
  void end({ waitForWatched: false });
});
process.on('disconnect', () => void end({ waitForWatched: true }));
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void end({ waitForWatched: true }));

async function start(options: HostOptions): Promise<void> {
  const opened = await openServiceFolders(options);
  folders = opened;
  const onProgress = (text: string) => tell({ type: 'progress', text });
  const results = await Promise.allSettled([
    options.postgres ? own(startPostgres({ ...opened.postgres, binaries: options.postgresBinaries })) : null,
    options.redis ? own(startRedis({ ...opened.redis, onProgress })) : null,
  ]);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  const [postgres, redis] = results.map((result) => (result.status === 'fulfilled' ? result.value : null));
  const pids = [postgres, redis].flatMap((server) => (server ? [server.pid] : []));
  tell({ type: 'ready', databaseUrl: postgres?.url ?? '', redisUrl: redis?.url ?? '', pids });
}

/** From the moment that it runs, also while the other one still starts or fails to, it is among what the end stops. */
async function own(launch: Promise<EmbeddedServer>): Promise<EmbeddedServer> {
  const server = await launch;
  servers.push(server);
  void server.exited.then(() => endedByItself(server));
  return server;
}

async function fail(error: unknown): Promise<void> {
  tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  // Not awaited: the end waits for the start, and this is the start's last act.
  void end({ waitForWatched: false });
}

function endedByItself(server: EmbeddedServer): void {
  if (!ending) tell({ type: 'progress', text: `the server at ${server.url} ended by itself` });
}

function end(options: { waitForWatched: boolean }): Promise<void> {
  ending ??= (async () => {
    if (options.waitForWatched) await waitForWatched();
    await starting;
    await Promise.all(servers.map((server) => server.stop()));
    folders?.close();
    process.exit(0);
  })();
  return ending;
}

async function waitForWatched(): Promise<void> {
  const deadline = performance.now() + WATCHED_PATIENCE_MS;
  while ([...watched].some(isRunning) && performance.now() < deadline) await delay(50);
}

function tell(message: FromHost): void {
  // The parent may be gone already; then nobody wants to know.
  if (process.connected) process.send?.(message, () => {});
}
