import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ServiceUser } from './service-user.ts';

export interface ServerProcess {
  pid: number;
  exited: Promise<void>;
  hasExited(): boolean;
  /** Sends the signals one after the other, each followed by its time to end. Safe to repeat. */
  stop(): Promise<void>;
}

export interface ServerCommand {
  program: string;
  args: readonly string[];
  cwd: string;
  env?: Record<string, string>;
  user?: ServiceUser | null;
  logFile: string;
  /** What ends it, politest first. SIGKILL comes last by itself. */
  stopSignals: readonly { signal: NodeJS.Signals; patienceMs: number }[];
}

/**
 * The environment of the servers: not our own, so that the machine's settings (PGPORT, LANG and their like) change nothing.
 * The id of the run goes along: by it processes that were left behind are found.
 */
export function serverEnv(): Record<string, string> {
  const { PATH = '', TICKMARK_RUN_ID: runId } = process.env;
  return { PATH, LC_ALL: 'C', TZ: 'UTC', ...(runId ? { TICKMARK_RUN_ID: runId } : {}) };
}

/** Starts a server as our child, its output in a file. */
export async function spawnServer(command: ServerCommand): Promise<ServerProcess> {
  const log = openSync(command.logFile, 'a');
  const child = spawn(command.program, command.args, {
    cwd: command.cwd,
    env: { ...serverEnv(), ...command.env },
    stdio: ['ignore', log, log],
    ...command.user,
  });
  closeSync(log);
  let ended = false;
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      ended = true;
      resolve();
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  const stop = async () => {
    for (const { signal, patienceMs } of [...command.stopSignals, { signal: 'SIGKILL' as const, patienceMs: 5_000 }]) {
      if (ended) return;
      child.kill(signal);
      await Promise.race([exited, delay(patienceMs, undefined, { ref: false })]);
    }
  };
  return { pid: child.pid ?? 0, exited, hasExited: () => ended, stop };
}

/**
 * Waits until the server is up.
 *
 * @returns false when it ended because another process had taken its port meanwhile, so that the caller tries the next one
 */
export async function isUp(
  server: ServerProcess,
  answers: () => Promise<boolean>,
  what: { name: string; port: number; logFile: string },
): Promise<boolean> {
  const deadline = performance.now() + 60_000;
  while (!server.hasExited()) {
    if (await answers()) return true;
    if (performance.now() > deadline) {
      await server.stop();
      throw new Error(`${what.name} did not answer within 60 s\n${endOf(what.logFile)}`);
    }
    await delay(15);
  }
  if (await isTaken(what.port)) return false;
  throw new Error(`${what.name} ended while it started\n${endOf(what.logFile)}`);
}

export function endOf(file: string, linesMax = 30): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trimEnd().split('\n').slice(-linesMax).join('\n') : '';
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(true));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(false)));
  });
}
