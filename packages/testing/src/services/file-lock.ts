import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The file holds the owner's process id and, where the system tells it, when that process started: ids are used again. */
export interface FileLock {
  release(): void;
}

/** Another process holds the lock. */
export class LockHeldError extends Error {
  override name = 'LockHeldError';
  readonly path: string;
  readonly pid: number;
  constructor(path: string, pid: number) {
    super(`process ${pid} holds ${path}`);
    this.path = path;
    this.pid = pid;
  }
}

/**
 * Takes the lock, also from an owner that died without releasing it.
 *
 * @throws LockHeldError when a living process has it
 */
export function takeLock(path: string): FileLock {
  mkdirSync(dirname(path), { recursive: true });
  const identity = `${process.pid} ${startTimeOf(process.pid)}`;
  if (!createExclusively(path, identity)) takeOver(path, identity);
  return {
    release: () => {
      if (readOwner(path)?.text === identity) rmSync(path, { force: true });
    },
  };
}

/** Runs while no other process holds the lock; waits for its turn. */
export async function withLock<T>(path: string, work: () => Promise<T>, options: { timeoutMs: number }): Promise<T> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    try {
      const lock = takeLock(path);
      try {
        return await work();
      } finally {
        lock.release();
      }
    } catch (error) {
      const isHeld = error instanceof LockHeldError && error.path === path;
      if (!isHeld || performance.now() > deadline) throw error;
    }
    await delay(100);
  }
}

/** Only one at a time looks at a dead owner's lock: otherwise a second one would remove the lock that the first has just made. */
function takeOver(path: string, identity: string): void {
  const gate = `${path}.takeover`;
  const inLine = tryMakeFolder(gate);
  const owner = readOwner(path);
  try {
    if (!inLine || (owner && isAlive(owner))) throw new LockHeldError(path, owner?.pid ?? 0);
    rmSync(path, { force: true });
    if (!createExclusively(path, identity)) throw new LockHeldError(path, readOwner(path)?.pid ?? 0);
  } finally {
    if (inLine) rmSync(gate, { recursive: true, force: true });
  }
}

function tryMakeFolder(gate: string): boolean {
  // The gate is held for microseconds; an old one belongs to a process that was killed exactly then.
  const age = Date.now() - (statSync(gate, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
  if (age > 10_000) rmSync(gate, { recursive: true, force: true });
  try {
    mkdirSync(gate);
    return true;
  } catch {
    return false;
  }
}

function createExclusively(path: string, text: string): boolean {
  try {
    writeFileSync(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

interface Owner {
  pid: number;
  startTime: string;
  text: string;
}

function readOwner(path: string): Owner | null {
  try {
    const text = readFileSync(path, 'utf8');
    const [pid = '', startTime = ''] = text.split(' ');
    return { pid: Number(pid), startTime, text };
  } catch {
    return null;
  }
}

function isAlive(owner: Owner): boolean {
  if (!isRunning(owner.pid)) return false;
  const startTime = startTimeOf(owner.pid);
  return startTime === '' || owner.startTime === '' || startTime === owner.startTime;
}

/** Whether the process exists and has not ended: one that nobody has waited for yet (a zombie) has. */
export function isRunning(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return statOf(pid)[0] !== 'Z';
}

function startTimeOf(pid: number): string {
  return statOf(pid)[19] ?? '';
}

/** The fields of /proc/<pid>/stat from the third on, the state; those before hold the name, which may hold blanks. Empty where there is no /proc. */
function statOf(pid: number): string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return [];
  }
}
