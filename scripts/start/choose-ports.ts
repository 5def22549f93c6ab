import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AppName } from './app-processes.ts';

const PORTS_TRIED_MAX = 500;
const CLAIMS = join(tmpdir(), 'tickmark-ports');

export interface Ports {
  ingress: number;
  console: number;
  simulator: number;
  metrics: Record<AppName, number>;
  /** Gives the ports back to other starts. */
  release(): void;
}

/**
 * The usual ports where they are free, else the next free ones. A file per port keeps it for this start until `release`: two starts at the same
 * moment would else both find the same port free and one of them would fail later, when its app listens.
 */
export async function choosePorts(): Promise<Ports> {
  makeClaimsFolder();
  const claimed: number[] = [];
  const next = async (wanted: number) => {
    for (let port = wanted; port < wanted + PORTS_TRIED_MAX; port++) {
      if (!claimPort(port)) continue;
      claimed.push(port);
      if (await isFree(port)) return port;
    }
    throw new Error(`no free port from ${wanted} on: end what listens there and start again`);
  };
  return {
    ingress: await next(3000),
    console: await next(3001),
    simulator: await next(4010),
    metrics: { ingress: await next(9464), worker: await next(9465), console: await next(9466), simulator: await next(9467) },
    release: () => claimed.forEach((port) => rmSync(join(CLAIMS, String(port)), { force: true })),
  };
}

function makeClaimsFolder(): void {
  mkdirSync(CLAIMS, { recursive: true });
  try {
    // For every user of the machine, each removing only what is theirs.
    chmodSync(CLAIMS, 0o1777);
  } catch {
    // Somebody else made it, and so.
  }
}

/** True = ours now. The claim of a process that is dead is taken over. */
function claimPort(port: number, file = join(CLAIMS, String(port))): boolean {
  for (let tries = 0; tries < 2; tries++) {
    try {
      writeFileSync(file, String(process.pid), { flag: 'wx' });
      return true;
    } catch {
      if (isAlive(ownerOf(file))) return false;
      rmSync(file, { force: true });
    }
  }
  return false;
}

function ownerOf(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8'));
  } catch {
    // Given back meanwhile.
    return 0;
  }
}

function isAlive(pid: number): boolean {
  if (pid === 0 || pid === process.pid) return pid !== 0;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .once('listening', () => server.close(() => resolve(true)))
      .listen(port, '127.0.0.1');
  });
}
