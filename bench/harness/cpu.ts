import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** CPU time in milliseconds that each part of a candidate has used so far. */
export interface CpuTimes {
  app: number;
  postgres: number;
  redis: number;
}

/** The processes at the root of each part; whatever they start counts with them. */
export type PartPids = Record<keyof CpuTimes, readonly number[]>;

interface ProcessTimes {
  parent: number;
  /** Its own ticks, and those of its children that have ended. */
  ticks: number;
}

/** Reads /proc, so that the parts need not help. @throws elsewhere than on Linux: a bench without its steadiest figure would mislead */
export function readCpuTimes(parts: PartPids): CpuTimes {
  if (!existsSync('/proc/self/stat')) throw new Error('the bench reads CPU times from /proc: it runs on Linux only');
  const processes = readProcesses();
  const msOf = (pids: readonly number[]) => (ticksOfTrees(processes, pids) * 1_000) / ticksPerSecond();
  return { app: msOf(parts.app), postgres: msOf(parts.postgres), redis: msOf(parts.redis) };
}

export function subtractCpuTimes(after: CpuTimes, before: CpuTimes): CpuTimes {
  return { app: after.app - before.app, postgres: after.postgres - before.postgres, redis: after.redis - before.redis };
}

export function totalOf({ app, postgres, redis }: CpuTimes): number {
  return app + postgres + redis;
}

function readProcesses(): Map<number, ProcessTimes> {
  const found = new Map<number, ProcessTimes>();
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const text = readFileSync(`/proc/${entry}/stat`, 'utf8');
      // The name before the last parenthesis may hold anything; utime, stime, cutime and cstime are fields 14 to 17 of the page proc(5).
      const fields = text
        .slice(text.lastIndexOf(')') + 2)
        .split(' ')
        .map(Number);
      const ticks = fields.slice(11, 15).reduce((sum, value) => sum + value, 0);
      found.set(Number(entry), { parent: fields[1] ?? 0, ticks });
    } catch {
      // Ended meanwhile: its parent's figures hold its time now.
    }
  }
  return found;
}

function ticksOfTrees(processes: ReadonlyMap<number, ProcessTimes>, roots: readonly number[]): number {
  const isBelow = (pid: number): boolean => roots.includes(pid) || (processes.has(pid) && isBelow(processes.get(pid)?.parent ?? 0));
  return [...processes].reduce((sum, [pid, { ticks }]) => sum + (isBelow(pid) ? ticks : 0), 0);
}

let knownTicksPerSecond: number | undefined;
function ticksPerSecond(): number {
  return (knownTicksPerSecond ??= Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })));
}
