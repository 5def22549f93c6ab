import { execFileSync } from 'node:child_process';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isRunning, LockHeldError, takeLock } from './file-lock.ts';
import { HOME_PREFIX, LOCATION_FILE, LOCK_FILE, OWNER_FILE, PERSISTENT_FILE, TEMP_PREFIX, type PersistentData } from './folder-names.ts';

/** A younger folder may be one that its host is about to lock. */
const AGE_MIN_MS = 60_000;
const STOP_PATIENCE_MS = 15_000;

/**
 * A host that was killed with SIGKILL leaves its servers, its folder and a segment of shared memory. The next start
 * of any clone of the same user clears them away.
 */
export async function removeAbandonedFolders(temp: string): Promise<void> {
  for (const name of readdirSync(temp).filter((entry) => entry.startsWith(TEMP_PREFIX) || entry.startsWith(HOME_PREFIX))) {
    const folder = join(temp, name);
    try {
      const isLeft = name.startsWith(TEMP_PREFIX) ? isLeftByItsHost : isLeftByItsOwner;
      if (isOurs(folder) && isLeft(folder)) await removeFolder(folder);
    } catch (error) {
      // Two starts may clear the same folder away at once. Whatever it is, it is no reason not to start.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') console.error(`could not clear ${folder} away: ${String(error)}`);
    }
  }
}

function isOurs(folder: string): boolean {
  const stats = lstatSync(folder);
  return stats.isDirectory() && stats.uid === process.getuid?.() && Date.now() - stats.mtimeMs > AGE_MIN_MS;
}

/** True when the lock could be taken; it is kept, so that two starts do not clear away the same folder. */
function isLeftByItsHost(folder: string): boolean {
  try {
    takeLock(join(folder, LOCK_FILE));
    return true;
  } catch (error) {
    if (error instanceof LockHeldError) return false;
    throw error;
  }
}

/** The clone was removed, or its data folder was, or it names another home now. */
function isLeftByItsOwner(home: string): boolean {
  const dataDir = readFileSync(join(home, OWNER_FILE), 'utf8');
  const location = join(dataDir, LOCATION_FILE);
  return !existsSync(location) || readFileSync(location, 'utf8').trim() !== home;
}

async function removeFolder(folder: string): Promise<void> {
  await stopPersistentOrphans(join(folder, PERSISTENT_FILE));
  for (const name of ['postgres', 'redis']) await stopOrphans(join(folder, name));
  removeSharedMemory(join(folder, 'postgres'));
  rmSync(folder, { recursive: true, force: true });
}

/** When the next start on the same data has not done that already. It holds their lock, and the servers are its own then. */
async function stopPersistentOrphans(file: string): Promise<void> {
  if (!existsSync(file)) return;
  const { dataDir, folders } = JSON.parse(readFileSync(file, 'utf8')) as PersistentData;
  if (!existsSync(dataDir)) return;
  try {
    const lock = takeLock(join(dataDir, LOCK_FILE));
    for (const folder of folders) await stopOrphans(folder);
    lock.release();
  } catch (error) {
    if (!(error instanceof LockHeldError)) throw error;
  }
}

/** Ends the servers that still work on this data folder although their host is gone. Does nothing when there are none. */
export async function stopOrphans(folder: string): Promise<void> {
  for (const file of ['postmaster.pid', 'redis.pid']) {
    const path = join(folder, file);
    const pid = existsSync(path) ? Number(readFileSync(path, 'utf8').split('\n')[0]) : 0;
    if (!(pid > 0) || !worksIn(pid, folder)) continue;
    for (const signal of [file === 'postmaster.pid' ? 'SIGINT' : 'SIGTERM', 'SIGKILL'] as const) {
      const deadline = performance.now() + STOP_PATIENCE_MS;
      if (isRunning(pid)) process.kill(pid, signal);
      while (isRunning(pid) && performance.now() < deadline) await delay(25);
    }
  }
}

/** Process ids are used again, so the process has to have the folder as its working directory, as both servers do. */
function worksIn(pid: number, folder: string): boolean {
  if (!isRunning(pid)) return false;
  if (process.platform === 'linux') {
    try {
      return readlinkSync(`/proc/${pid}/cwd`) === folder;
    } catch {
      // Somebody else's process.
      return false;
    }
  }
  try {
    return execFileSync('lsof', ['-a', '-p', String(pid), '-d', 'cwd', '-Fn'], { encoding: 'utf8' }).includes(`n${folder}\n`);
  } catch {
    return false;
  }
}

/**
 * Each PostgreSQL has a small System V segment that tells whether anybody is still attached. A start on the same data
 * takes an old one over, but these data are about to go. The seventh line of postmaster.pid names it.
 */
function removeSharedMemory(folder: string): void {
  const pidFile = join(folder, 'postmaster.pid');
  if (!existsSync(pidFile) || !existsSync('/proc/sysvipc/shm')) return;
  const lines = readFileSync(pidFile, 'utf8').split('\n');
  const [key, id] = (lines[6] ?? '').trim().split(/\s+/);
  // Numbers are used again after a restart of the machine: key, id, creator and "nobody attached" must all agree.
  const segments = readFileSync('/proc/sysvipc/shm', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const found = segments.find((fields) => fields[0] === key && fields[1] === id && fields[4] === lines[0]?.trim() && fields[6] === '0');
  if (!found || id === undefined) return;
  try {
    execFileSync('ipcrm', ['-m', id], { stdio: 'ignore' });
  } catch {
    // Without ipcrm a segment of 56 bytes stays until the machine restarts.
  }
}
