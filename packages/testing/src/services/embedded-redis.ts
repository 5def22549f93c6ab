import { mkdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import type { EmbeddedServer } from './embedded-postgres.ts';
import { freePort } from './free-port.ts';
import { findRedis } from './find-redis.ts';
import { isUp, spawnServer } from './server-process.ts';

const PORTS_TRIED = 5;

/** Starts a Redis on a free port of 127.0.0.1 that has every write on disk before it answers, and never throws a key away. */
export async function startRedis(options: {
  folder: string;
  logFile: string;
  onProgress?: (text: string) => void;
}): Promise<EmbeddedServer> {
  const program = await findRedis({ onProgress: options.onProgress });
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  for (let attempt = 1; attempt <= PORTS_TRIED; attempt += 1) {
    const port = await freePort();
    const server = await spawnServer({
      ...program.command(settings(port, options.folder), options.folder, port),
      cwd: options.folder,
      logFile: options.logFile,
      stopSignals: [{ signal: 'SIGTERM', patienceMs: 10_000 }],
    });
    if (await isUp(server, () => answersPing(port), { name: 'Redis', port, logFile: options.logFile })) {
      const stop = async () => {
        await server.stop();
        program.cleanUp?.(port);
      };
      return { ...server, stop, url: `redis://127.0.0.1:${port}` };
    }
  }
  throw new Error(`Redis found ${PORTS_TRIED} free ports, and each was taken by another process before it could use it`);
}

function settings(port: number, folder: string): string[] {
  const values: [string, string][] = [
    ['bind', '127.0.0.1'],
    ['port', String(port)],
    ['pidfile', join(folder, 'redis.pid')],
    ['databases', '256'],
    ['appendonly', 'yes'],
    ['appendfsync', 'always'],
    ['save', ''],
    ['maxmemory-policy', 'noeviction'],
    ['daemonize', 'no'],
    ['loglevel', 'notice'],
    // A title would overwrite the environment in /proc, by which processes that were left behind are found.
    ['set-proc-title', 'no'],
  ];
  return values.flatMap(([name, value]) => [`--${name}`, value]);
}

/** True when it answers PING; false while nobody listens or it still loads its data. */
function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port, timeout: 1_000 });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (data) => end(data.toString().startsWith('+PONG')));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
    socket.once('close', () => end(false));
  });
}
