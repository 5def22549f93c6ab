import type { Candidate, CandidateProcess, Setting } from '../../harness/candidate.ts';
import { AUTH_TOKEN, PUBLIC_BASE_URL } from './make-callbacks.ts';

const SERVER = 'Fastify without logger, hooks and schemas, our own form parser';
const STATEMENT = 'log and guarded row in one prepared statement, 32 connections';

/** Nothing is checked, nothing is kept: what the machine and Fastify can do at most. */
export const bareFastify: Candidate = {
  name: 'bare-fastify',
  title: 'bare Fastify + form parser',
  durability: 'none',
  tuning: SERVER,
  processes: (setting) => [server(setting, 'nothing-stored', { VERIFY: 'off' })],
};

export const nothingStored: Candidate = {
  name: 'nothing-stored',
  title: 'Fastify + form parser + HMAC, nothing stored',
  durability: 'none',
  tuning: `${SERVER}, the same signature check`,
  processes: (setting) => [server(setting, 'nothing-stored')],
};

export const jobPerCallback: Candidate = {
  name: 'job-per-callback',
  title: 'one queue.add per callback',
  durability: 'Redis, on disk (AOF always)',
  tuning: 'adds of all connections share one pipelined socket, jobs leave nothing behind, short event stream',
  processes: (setting) => [server(setting, 'job-per-callback')],
};

export const updatePerCallback: Candidate = {
  name: 'update-per-callback',
  title: 'Fastify + one guarded UPDATE per callback',
  durability: 'Postgres, on disk (fsync)',
  tuning: `${STATEMENT}, commits of different connections share a disk write`,
  processes: (setting) => [server(setting, 'update-per-callback')],
};

export const jobAndTransaction: Candidate = {
  name: 'job-and-transaction',
  title: 'one BullMQ job and one transaction per callback',
  durability: 'Redis, on disk (AOF always)',
  tuning: `a process each for HTTP and jobs, 100 jobs at a time, ${STATEMENT}`,
  processes: (setting) => [server(setting, 'job-per-callback'), worker(setting, 'job-worker')],
};

export const pgBoss: Candidate = {
  name: 'pg-boss',
  title: 'pg-boss, batch mode',
  durability: 'Postgres, on disk (fsync)',
  tuning:
    'a process each for HTTP and jobs, 1,000 jobs fetched, applied by one statement and completed at a time, never idle between polls',
  processes: (setting) => [server(setting, 'pg-boss'), worker(setting, 'pg-boss')],
};

export const pgBossGrouped = behindGroupCommit(pgBoss);

export const graphileWorker: Candidate = {
  name: 'graphile-worker',
  title: 'graphile-worker, batch mode',
  durability: 'Postgres, on disk (fsync)',
  tuning: 'a process each for HTTP and jobs, local queue and batched completion of 500, running jobs share one statement',
  processes: (setting) => [server(setting, 'graphile-worker'), worker(setting, 'graphile-worker')],
};

export const graphileWorkerGrouped = behindGroupCommit(graphileWorker);

export const memoryBatch: Candidate = {
  name: 'memory-batch',
  title: 'in-memory batch, answered from RAM',
  durability: 'RAM: nothing, until the row is written',
  tuning: 'no queue and no second process, up to 1,000 callbacks per statement, those of one message merged',
  processes: (setting) => [server(setting, 'memory-batch')],
};

/** A rival beside itself as it comes: what it would be with our one idea in front of it. Its name is that of its entry. */
function behindGroupCommit(rival: Candidate): Candidate {
  return {
    ...rival,
    name: `${rival.name}-grouped`,
    title: `${rival.title}, behind our group commit`,
    tuning: `${rival.tuning}; its batch insert is given what our group commit collects`,
    processes: (setting) => [server(setting, rival.name, { GROUPED: 'on' }), worker(setting, rival.name)],
  };
}

function server(setting: Setting, entry: string, env: Record<string, string> = {}): CandidateProcess {
  return baseline(setting, 'http', entry, setting.port, { ROLE: 'ingress', ...env });
}

function worker(setting: Setting, entry: string): CandidateProcess {
  return baseline(setting, 'worker', entry, setting.healthPorts[1], { ROLE: 'worker' });
}

function baseline(setting: Setting, name: string, entry: string, healthPort: number, env: Record<string, string>): CandidateProcess {
  return {
    name,
    entry: `bench/rows/callbacks/baselines/${entry}.ts`,
    healthPort,
    env: {
      PORT: String(setting.port),
      HEALTH_PORT: String(healthPort),
      DATABASE_URL: setting.databaseUrl,
      REDIS_URL: setting.redisUrl,
      AUTH_TOKEN,
      PUBLIC_BASE_URL,
      ...env,
    },
  };
}
