import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { RUN_VARIABLE } from '../processes-of-run.ts';

const READY_MS_MAX = 30_000;
/** Longer than an app's own watchdog. */
const STOP_MS_MAX = 45_000;

export type AppName = 'ingress' | 'worker' | 'console' | 'simulator';

export interface RunningProcess {
  name: string;
  pid: number;
  logFile: string;
  /** Settles with a sentence when the process ends, whoever ended it. */
  ended: Promise<string>;
  stop(): Promise<void>;
}

export interface ProcessToStart {
  name: string;
  /** Its source, relative to the root. */
  entry: string;
  env: Record<string, string>;
  logFolder: string;
}

export interface AppProcess extends RunningProcess {
  name: AppName;
}

/** Starts one app from its sources. */
export function startApp(name: AppName, env: Record<string, string>, logFolder: string): AppProcess {
  return { ...startProcess({ name, entry: `apps/${name}/src/main.ts`, env, logFolder }), name };
}

/**
 * Starts one process from its source, detached and with IPC: Ctrl-C in the terminal reaches only us, so that we stop the apps in order; and when
 * we are killed, the closed channel tells the app to drain and end by itself.
 */
export function startProcess({ name, entry, env, logFolder }: ProcessToStart): RunningProcess {
  mkdirSync(logFolder, { recursive: true });
  const logFile = `${logFolder}/${name}.log`;
  const output = openSync(logFile, 'w');
  const child = spawn(process.execPath, ['--conditions=@tickmark/source', '--import', 'tsx', entry], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...inherited(), ...env },
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
  });
  if (child.pid === undefined) throw new Error(`${name} could not be started; is there memory left?`);
  closeSync(output);
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => resolve(`${name} ended (${signal ?? `exit ${code}`}); its log is ${logFile}`));
  });
  return { name, pid: child.pid, logFile, ended, stop: () => stopChild(child, ended) };
}

/** Little of our own environment: a variable that happens to be set must not configure an app. The run's id marks what comes of it. */
function inherited(): Record<string, string> {
  return Object.fromEntries(['PATH', 'HOME', RUN_VARIABLE].map((name) => [name, process.env[name] ?? '']));
}

/** Waits until the process's health listener answers 200. */
export async function waitUntilReady(app: RunningProcess, metricsPort: number): Promise<void> {
  let last = 'no answer yet';
  const ready = (async () => {
    for (const startedMs = performance.now(); performance.now() - startedMs < READY_MS_MAX; await pause(50)) {
      try {
        const answer = await fetch(`http://127.0.0.1:${metricsPort}/health/ready`, { signal: AbortSignal.timeout(2_000) });
        if (answer.ok) return true;
        last = await answer.text();
      } catch {
        // Not listening yet.
      }
    }
    return false;
  })();
  const end = await Promise.race([ready, app.ended]);
  if (end !== true) throw new Error(`${app.name} did not become ready: ${end === false ? last : end}. Read ${app.logFile}.`);
}

async function stopChild(child: ChildProcess, ended: Promise<string>): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
  await ended;
  clearTimeout(timer);
}
