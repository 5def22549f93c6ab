import { join } from 'node:path';
import { openTcpGate, startServices, testFolder, type Services } from '@tickmark/testing';

export interface OwnServer {
  /** Stays the same, however often the server is started anew. */
  url: string;
  /** `SIGKILL`: it is gone, and what is on its disk stays. */
  kill(): Promise<void>;
  /** The same by its own orderly end. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** `SIGSTOP` and `SIGCONT`: connections stay, and nothing is answered meanwhile. */
  freeze(): void;
  thaw(): void;
}

/** A PostgreSQL or a Redis of a test's own, with data that outlive it. */
export async function startOwnServer(kind: 'postgres' | 'redis'): Promise<OwnServer> {
  const dataDir = join(testFolder(kind), 'data');
  const run = () => startServices({ dataDir, postgres: kind === 'postgres', redis: kind === 'redis' });
  const urlOf = ({ databaseUrl, redisUrl }: Services) => databaseUrl || redisUrl;
  let services = await run();
  const gate = await openTcpGate(urlOf(services));
  const signal = (name: NodeJS.Signals) => process.kill(services.pids[1] ?? 0, name);
  const stop = async () => {
    await gate.close();
    await services.stop();
  };
  return {
    url: gate.url,
    kill: async () => {
      signal('SIGKILL');
      await stop();
    },
    stop,
    start: async () => {
      services = await run();
      await gate.open(urlOf(services));
    },
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
  };
}
