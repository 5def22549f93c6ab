import { waitFor } from '@tickmark/testing';
import type { Candidate } from '../../harness/candidate.ts';
import { readCpuTimes, subtractCpuTimes, type CpuTimes } from '../../harness/cpu.ts';
import { countDistinct, judgeRedis, judgeRows, type Gate } from './judge.ts';
import { withRun, type Lab, type Loaded, type Run } from './lab.ts';

/** How long a candidate may take over its backlog. */
const BACKLOG_MS_MAX = 120_000;
const POLL_MS = 25;

export interface RunFigures {
  /** Callbacks per second. */
  rate: number;
  /** Milliseconds per 1,000 callbacks. */
  cpu: CpuTimes;
  latencyMs: LoadedLatency;
  generatorBusy: number;
  gate: Gate;
}
type LoadedLatency = Loaded['latencyMs'];

/** Where a callback must be for the clock to stop: `nowhere` = its answer alone counts. */
export type Destination = 'nowhere' | 'redis' | 'postgres';

/** Runs one candidate once: warm-up, load, and (with Postgres) the rest of its backlog. */
export function measureOnce(lab: Lab, candidate: Candidate, destination: Destination): Promise<RunFigures> {
  return withRun(lab, candidate, async (run) => {
    const pids = { app: run.running().pids, postgres: [lab.services.pids.postgres], redis: [lab.services.pids.redis] };
    const warm = await run.load(lab.effort.warmUpMsMax, lab.effort.warmUpCount);
    if (destination === 'postgres') await untilApplied(run, warm.answered);
    const before = readCpuTimes(pids);
    const loaded = await run.load(lab.effort.loadMs);
    const answered = [...warm.answered, ...loaded.answered];
    const endedAtMs = destination === 'postgres' ? await untilApplied(run, answered) : loaded.endedAtMs;
    const cpu = subtractCpuTimes(readCpuTimes(pids), before);
    const refused = warm.sent + loaded.sent - answered.length;
    const perThousand = (ms: number) => (ms * 1_000) / loaded.answered.length;
    return {
      rate: (loaded.answered.length * 1_000) / (endedAtMs - loaded.startedAtMs),
      cpu: { app: perThousand(cpu.app), postgres: perThousand(cpu.postgres), redis: perThousand(cpu.redis) },
      latencyMs: loaded.latencyMs,
      generatorBusy: loaded.busy,
      gate: { refused, ...(await judge(lab, run, destination, answered)) },
    };
  });
}

function judge(lab: Lab, run: Run, destination: Destination, answered: Loaded['answered']): Promise<Omit<Gate, 'refused'>> {
  if (destination === 'postgres') return judgeRows(run.sql, answered, lab.pool.messages.length);
  if (destination === 'redis') return judgeRedis(lab.services.redis, answered);
  return Promise.resolve({ answered: answered.length, missing: 0, regressed: 0, duplicate: 0 });
}

/** @returns when the log was seen to hold all of them, by the load's clock; what is missing after the deadline, the judge will find */
async function untilApplied({ sql }: Run, answered: Loaded['answered']): Promise<number> {
  const wanted = countDistinct(answered);
  const isThere = async () => {
    const [row] = await sql<{ lines: number }[]>`SELECT count(*)::int AS lines FROM message_status_logs`;
    return (row?.lines ?? 0) >= wanted;
  };
  await waitFor(isThere, { timeoutMs: BACKLOG_MS_MAX, intervalMs: POLL_MS }).catch(() => undefined);
  return performance.timeOrigin + performance.now();
}
