import { mkdirSync } from 'node:fs';
import postgres from 'postgres';
import { choosePorts, startCandidate, type Candidate, type RunningCandidate, type Setting } from '../../harness/candidate.ts';
import type { LoadResult } from '../../harness/load/protocol.ts';
import type { LoadGenerator } from '../../harness/load/start-generator.ts';
import type { GroupContext } from '../../harness/groups.ts';
import type { Effort } from '../../harness/options.ts';
import type { BenchServices } from '../../harness/services.ts';
import type { Callback, CallbackPool } from './make-callbacks.ts';

const CONNECTIONS = 128;

/** What all runs of the group share. */
export interface Lab {
  effort: Effort;
  services: BenchServices;
  generator: LoadGenerator;
  pool: CallbackPool;
  /** The database whose messages the callbacks are about. */
  template: string;
  folder: string;
  cleanups: GroupContext['cleanups'];
}

/** One run of one candidate, on a Redis and a database that nobody has used before. */
export interface Run {
  sql: postgres.Sql;
  setting: Setting;
  running(): RunningCandidate;
  /** Sends callbacks that were not sent before: for so long, `countMax` at most. */
  load(forMs: number, countMax?: number): Promise<Loaded>;
  restart(): Promise<void>;
}

export interface Loaded extends LoadResult {
  /** Those that were answered with a 2xx. */
  answered: Callback[];
}

let runs = 0;

export async function withRun<T>(lab: Lab, candidate: Candidate, work: (run: Run) => Promise<T>): Promise<T> {
  const { services, generator, pool } = lab;
  runs += 1;
  const folder = `${lab.folder}/run-${runs}`;
  mkdirSync(folder, { recursive: true });
  await services.redis.flushall();
  const database = await services.copyTemplate(lab.template, `run_${runs}`);
  const sql = postgres(database.url, { max: 2, onnotice: () => {} });
  const setting: Setting = { databaseUrl: database.url, redisUrl: services.redisUrl, folder, ...(await choosePorts()) };
  let running = await startCandidate(candidate, setting);
  // Should the bench be stopped in the middle, the candidate ends before the servers do.
  lab.cleanups.push(() => running.stop());
  let sent = 0;
  try {
    return await work({
      sql,
      setting,
      running: () => running,
      async load(forMs, countMax = Infinity) {
        const from = sent;
        const to = Math.min(pool.callbacks.length, from + countMax);
        const result = await generator.run({ port: setting.port, from, to, forMs, connections: CONNECTIONS });
        sent += result.sent;
        const answered = pool.callbacks.slice(from, sent).filter((_, index) => Math.floor((result.statuses[index] ?? 0) / 100) === 2);
        return { ...result, answered };
      },
      async restart() {
        running = await startCandidate(candidate, setting);
      },
    });
  } finally {
    await running.stop();
    await sql.end({ timeout: 1 });
    await database.drop();
  }
}
