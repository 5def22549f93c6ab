import { readFileSync } from 'node:fs';

/** Tells one process from every other one that ran or will run, as far as the system lets it. */
export interface ProcessMark {
  pid: number;
  /** Of this boot of the machine; null where the system does not tell. */
  bootId: string | null;
  /** Clock ticks between that boot and the process's start; null as above. */
  startTicks: string | null;
}

export function markOf(pid: number): ProcessMark {
  return { pid, bootId: readBootId(), startTicks: readStartTicks(pid) };
}

/**
 * Whether the process is certainly gone: the machine was booted since, nothing has its pid, or something that started at another time.
 *
 * A process of another container on the same folder may look dead although it lives; the spool's writer copes with that.
 */
export function isGone(mark: ProcessMark): boolean {
  if (mark.bootId !== readBootId()) return true;
  if (mark.startTicks !== null) return readStartTicks(mark.pid) !== mark.startTicks;
  try {
    process.kill(mark.pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function readBootId(): string | null {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? null;
}

function readStartTicks(pid: number): string | null {
  // Field 22; the second one, the name in parentheses, may itself hold blanks and parentheses.
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
