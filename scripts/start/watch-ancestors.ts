import { readFileSync } from 'node:fs';

const POLL_MS = 500;

/**
 * Calls back once when npm (or whoever started this process) is gone. A killed npm takes neither its shell nor us along, so each of the
 * processes up to npm is watched by its pid and, where /proc tells it, its start time.
 */
export function watchAncestors(onGone: () => void): { close(): void } {
  const watched = ancestorsUpToNpm();
  const firstParent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === firstParent && watched.every(({ pid, startedAt }) => readStat(pid)?.startedAt === startedAt)) return;
    clearInterval(timer);
    onGone();
  }, POLL_MS);
  timer.unref();
  return { close: () => clearInterval(timer) };
}

interface ProcessStat {
  name: string;
  parent: number;
  startedAt: string;
}

function ancestorsUpToNpm(): { pid: number; startedAt: string }[] {
  const found: { pid: number; startedAt: string }[] = [];
  for (let pid = process.ppid, depth = 0; depth < 3; depth++) {
    const stat = readStat(pid);
    if (!stat) return found;
    if (stat.name.startsWith('npm')) return [...found, { pid, startedAt: stat.startedAt }];
    // npm runs a script through a shell, which may or may not stay between it and us; above anything else we know nobody.
    if (!/^(sh|dash|bash|zsh|ash|busybox)$/.test(stat.name)) return found;
    found.push({ pid, startedAt: stat.startedAt });
    pid = stat.parent;
  }
  return [];
}

/** Undefined when there is no such process, or no /proc to ask. */
function readStat(pid: number): ProcessStat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { name, parent: Number(fields[1]), startedAt: fields[19] ?? '' };
  } catch {
    return undefined;
  }
}
