import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const START_MS_MAX = 30_000;

export interface Account {
  sid: string;
  apiKeySid: string;
  apiKeySecret: string;
  authToken: string;
  /** As `TWILIO_SENDERS` has them. */
  senders: string;
}

export interface RunningSimulator {
  url: string;
  stop(): Promise<void>;
}

/** Starts the simulator as a process of its own on free ports, and waits until it listens. */
export async function startSimulator(account: Account): Promise<RunningSimulator> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const child = spawn(process.execPath, ['--conditions=@tickmark/source', '--import', 'tsx', 'apps/simulator/src/main.ts'], {
    cwd: root,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      SIMULATOR_PORT: '0',
      METRICS_PORT: '0',
      // Nobody listens there: what the callbacks hold is not this check's matter.
      PUBLIC_BASE_URL: 'http://127.0.0.1:9',
      TWILIO_ACCOUNT_SID: account.sid,
      TWILIO_API_KEY_SID: account.apiKeySid,
      TWILIO_API_KEY_SECRET: account.apiKeySecret,
      TWILIO_AUTH_TOKEN: account.authToken,
      TWILIO_SENDERS: account.senders,
      SIMULATOR_SETTINGS: JSON.stringify({ statusDelayMs: { queued: 1, sending: 1, sent: 1, delivered: 1, read: 1 } }),
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const ended = new Promise<void>((resolve) => void child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill();
    await ended;
  };
  try {
    return { url: await waitForUrl(child), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** From the log line that names it. */
function waitForUrl(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the simulator did not listen within ${START_MS_MAX / 1000} s`)), START_MS_MAX);
    const settle = (act: () => void) => {
      clearTimeout(timer);
      act();
    };
    child.once('exit', (code) => settle(() => reject(new Error(`the simulator ended with exit code ${code} before it listened`))));
    if (!child.stdout) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { msg, url } = (line.startsWith('{') ? JSON.parse(line) : {}) as { msg?: string; url?: string };
      if (msg === 'simulator listens' && url !== undefined) settle(() => resolve(url));
    });
  });
}
