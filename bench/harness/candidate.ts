import { once } from 'node:events';
import { createServer } from 'node:http';
import { freePort } from '@tickmark/testing';
import { startProcess, waitUntilReady, type RunningProcess } from '../../scripts/start/app-processes.ts';

/** One way of doing the work that is measured. */
export interface Candidate {
  /** Stable: the key in `--json`. */
  name: string;
  title: string;
  /** Where something is when its answer is given. */
  durability: string;
  /** What was done so that it is as fast as it can be. */
  tuning: string;
  /** In order of start. */
  processes: (setting: Setting) => CandidateProcess[];
}

/** What the processes of one run share. */
export interface Setting {
  databaseUrl: string;
  redisUrl: string;
  /** Where the load goes. */
  port: number;
  /** Ports for health listeners, by process. */
  healthPorts: readonly [number, number];
  /** For files of the run. */
  folder: string;
}

export interface CandidateProcess {
  name: string;
  /** Its source, relative to the root. */
  entry: string;
  env: Record<string, string>;
  /** Where it answers GET /health/ready. */
  healthPort: number;
}

export interface RunningCandidate {
  port: number;
  pids: readonly number[];
  /** Ends all of it with SIGKILL, at once. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export async function choosePorts(): Promise<Pick<Setting, 'port' | 'healthPorts'>> {
  const [port, first, second] = await Promise.all([freePort(), freePort(), freePort()]);
  return { port, healthPorts: [first, second] };
}

/** Starts the candidate's processes as they are started for use (sources through tsx), and waits until all of them are ready. */
export async function startCandidate(candidate: Candidate, setting: Setting): Promise<RunningCandidate> {
  const running: RunningProcess[] = [];
  const stop = async () => {
    for (const process of running) await process.stop();
  };
  try {
    const wanted = candidate.processes(setting);
    const ready = wanted.map(({ name, entry, env, healthPort }) => {
      const started = startProcess({ name: `${candidate.name}-${name}`, entry, env, logFolder: setting.folder });
      running.push(started);
      return waitUntilReady(started, healthPort);
    });
    await Promise.all(ready);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port: setting.port,
    pids: running.map(({ pid }) => pid),
    kill: async () => {
      for (const { pid } of running) process.kill(pid, 'SIGKILL');
      await Promise.all(running.map(({ ended }) => ended));
    },
    stop,
  };
}

/** For a baseline's process that serves no HTTP otherwise. */
export async function answerHealth(port: number): Promise<void> {
  const server = createServer((_request, response) => response.end('ready'));
  await once(server.listen(port, '127.0.0.1'), 'listening');
}
