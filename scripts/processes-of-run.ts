import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Set in the environment of a run, it marks every process that comes of it, however far down and detached. */
export const RUN_VARIABLE = 'TICKMARK_RUN_ID';

/** The processes, other than this one, whose environment carries the run's id. Linux only: elsewhere it throws, because it cannot know. */
export function findProcessesOfRun(runId: string): { pid: number; command: string }[] {
  if (!existsSync('/proc/self/environ')) throw new Error('processes left behind can be looked for on Linux only');
  const mark = `${RUN_VARIABLE}=${runId}`;
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap((entry) => {
      try {
        if (!readFileSync(`/proc/${entry}/environ`, 'latin1').split('\0').includes(mark)) return [];
        return [{ pid: Number(entry), command: readFileSync(`/proc/${entry}/cmdline`, 'latin1').replaceAll('\0', ' ') }];
      } catch {
        // The process ended meanwhile, or belongs to somebody else.
        return [];
      }
    });
}
