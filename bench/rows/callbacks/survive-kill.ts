import { existsSync, readdirSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Candidate } from '../../harness/candidate.ts';
import { countWaiting, judgeRows } from './judge.ts';
import { withRun, type Lab, type Run } from './lab.ts';

export interface KillFigures {
  answered: number;
  /** Answered with a 2xx before the kill, and never found in Postgres. */
  lost: number;
}

/** Nothing waits and nothing is written for so long: what is not there by then does not come. */
const QUIET_MS = 1_500;
const PATIENCE_MS = 60_000;

/** Kills every process of the candidate in the middle of the load, starts them again, and counts what was answered and is not there. */
export function surviveKill(lab: Lab, candidate: Candidate): Promise<KillFigures> {
  return withRun(lab, candidate, async (run) => {
    const warm = await run.load(lab.effort.warmUpMsMax, lab.effort.warmUpCount);
    const loading = run.load(Infinity);
    await pause(lab.effort.loadMs);
    await run.running().kill();
    const answered = [...warm.answered, ...(await loading).answered];
    await run.restart();
    await untilQuiet(lab, run);
    const { missing } = await judgeRows(run.sql, answered, lab.pool.messages.length);
    return { answered: answered.length, lost: missing };
  });
}

async function untilQuiet(lab: Lab, { sql, setting }: Run): Promise<void> {
  let lines = -1;
  let changedMs = performance.now();
  const giveUpMs = changedMs + PATIENCE_MS;
  for (let nowMs = changedMs; nowMs < giveUpMs && nowMs - changedMs < QUIET_MS; nowMs = performance.now()) {
    const [row] = await sql<{ lines: number }[]>`SELECT count(*)::int AS lines FROM message_status_logs`;
    const isWaiting = (await countWaiting(lab.services.redis)) > 0 || hasSpooled(`${setting.folder}/spool`);
    if (isWaiting || row?.lines !== lines) changedMs = performance.now();
    lines = row?.lines ?? 0;
    await pause(100);
  }
}

/** Whether something waits on disk for Redis. */
function hasSpooled(folder: string): boolean {
  if (!existsSync(folder)) return false;
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name !== 'owner.json',
  );
  return files.some((file) => statSync(`${file.parentPath}/${file.name}`, { throwIfNoEntry: false })?.size);
}
