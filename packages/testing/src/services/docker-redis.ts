import { execFileSync } from 'node:child_process';
import type { RedisProgram } from './redis-program.ts';

const IMAGE = 'redis:7.4-bookworm';

/** A Redis in a container of a running Docker daemon, or the sentence that says why not. Its image is fetched first: a start has a deadline. */
export function dockerRedis(onProgress?: (text: string) => void): RedisProgram | string {
  try {
    docker(['version', '--format', '{{.Server.Version}}'], 10_000);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
      ? 'there is no docker command'
      : 'the docker command reaches no running daemon';
  }
  try {
    docker(['image', 'inspect', IMAGE], 10_000);
  } catch {
    onProgress?.(`fetching ${IMAGE} with Docker`);
    try {
      docker(['pull', '--quiet', IMAGE], 300_000);
    } catch (error) {
      return `Docker cannot fetch ${IMAGE}: ${(error as Error).message}`;
    }
  }
  return {
    command: (settings, folder, port) => ({
      program: 'docker',
      args: ['run', '--rm', '--name', nameOf(port), ...containerArgs(settings, folder, port)],
    }),
    cleanUp: (port) => {
      // The container is gone already when the client could still tell the daemon so.
      try {
        docker(['rm', '--force', nameOf(port)], 20_000);
      } catch {
        // No such container, which is what was wanted.
      }
    },
  };
}

function docker(args: string[], timeoutMs: number): void {
  execFileSync('docker', args, { stdio: 'ignore', timeout: timeoutMs });
}

function nameOf(port: number): string {
  return `tickmark-redis-${port}`;
}

/** Inside the container Redis listens on all addresses of its own network; only 127.0.0.1 of this machine leads there. */
function containerArgs(settings: string[], folder: string, port: number): string[] {
  const user = process.getuid ? ['--user', `${process.getuid()}:${process.getgid?.()}`] : [];
  const inside = [...settings, '--bind', '0.0.0.0', '--port', '6379', '--protected-mode', 'no', '--dir', '/data', '--pidfile', ''];
  return [...user, '--publish', `127.0.0.1:${port}:6379`, '--volume', `${folder}:/data`, IMAGE, 'redis-server', ...inside];
}
