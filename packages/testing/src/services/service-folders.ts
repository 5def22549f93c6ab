import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { removeAbandonedFolders, stopOrphans } from './abandoned-services.ts';
import { LockHeldError, takeLock, type FileLock } from './file-lock.ts';
import { HOME_PREFIX, LOCATION_FILE, LOCK_FILE, OWNER_FILE, PERSISTENT_FILE, TEMP_PREFIX, type PersistentData } from './folder-names.ts';
import type { HostOptions } from './host-protocol.ts';
import { canReach, reachableTempFolder, serviceUser } from './service-user.ts';

export interface ServerFolder {
  folder: string;
  logFile: string;
  temporary: boolean;
}

export interface ServiceFolders {
  postgres: ServerFolder;
  redis: ServerFolder;
  /** Removes what is temporary, and leaves persistent data to the next start. */
  close(): void;
}

/**
 * Where the servers of this host keep their data and logs. What a host left behind that was killed is cleared away first.
 *
 * @throws when another start uses the same data folder
 */
export async function openServiceFolders(options: HostOptions): Promise<ServiceFolders> {
  await removeAbandonedFolders(reachableTempFolder());
  return options.dataDir === undefined ? openTemporary(options.logFolder) : openPersistent(options.dataDir, options.logFolder);
}

function openTemporary(logFolder: string | undefined): ServiceFolders {
  const home = makeTempFolder();
  return { ...foldersIn(home, logFolder ?? home, true), close: () => rmSync(home, { recursive: true, force: true }) };
}

async function openPersistent(dataDir: string, logFolder = join(dataDir, 'logs')): Promise<ServiceFolders> {
  mkdirSync(dataDir, { recursive: true });
  const lock = lockDataFolder(dataDir);
  const home = homeOf(realpathSync(dataDir));
  const folders = foldersIn(home, logFolder, false);
  refuseOtherOwner(folders.postgres.folder);
  for (const { folder, logFile } of [folders.postgres, folders.redis]) {
    await stopOrphans(folder);
    if (existsSync(logFile)) renameSync(logFile, `${logFile}.previous`);
  }
  // If this host is killed, the next start of any clone finds its servers by this folder.
  const temp = makeTempFolder();
  const data: PersistentData = { dataDir, folders: [folders.postgres.folder, folders.redis.folder] };
  writeFileSync(join(temp, PERSISTENT_FILE), JSON.stringify(data));
  const close = () => {
    rmSync(temp, { recursive: true, force: true });
    lock.release();
  };
  return { ...folders, close };
}

/** Locked by this process for as long as it lives, and open to the user that PostgreSQL runs as. */
function makeTempFolder(): string {
  const folder = mkdtempSync(join(reachableTempFolder(), TEMP_PREFIX));
  takeLock(join(folder, LOCK_FILE));
  chmodSync(folder, 0o755);
  return folder;
}

function foldersIn(home: string, logFolder: string, temporary: boolean): Pick<ServiceFolders, 'postgres' | 'redis'> {
  mkdirSync(logFolder, { recursive: true });
  const place = (name: string) => ({ folder: join(home, name), logFile: join(logFolder, `${name}.log`), temporary });
  return { postgres: place('postgres'), redis: place('redis') };
}

function lockDataFolder(dataDir: string): FileLock {
  try {
    return takeLock(join(dataDir, LOCK_FILE));
  } catch (error) {
    if (!(error instanceof LockHeldError)) throw error;
    throw new Error(`another start uses the data in ${dataDir} (process ${error.pid}); stop it first`, { cause: error });
  }
}

/**
 * The data folder itself, or, when PostgreSQL's user cannot reach it (root's clone below a private folder), a folder in the
 * system's temp folder that the data folder names. The data of both servers stay together: a queue without its
 * database is worth nothing.
 */
function homeOf(dataDir: string): string {
  const user = serviceUser();
  if (!user || canReach(dataDir, user)) return dataDir;
  const location = join(dataDir, LOCATION_FILE);
  const named = existsSync(location) ? readFileSync(location, 'utf8').trim() : '';
  if (named && existsSync(named) && lstatSync(named).isDirectory() && lstatSync(named).uid === process.getuid?.()) return named;
  const home = mkdtempSync(join(reachableTempFolder(), HOME_PREFIX));
  chmodSync(home, 0o755);
  writeFileSync(join(home, OWNER_FILE), dataDir);
  writeFileSync(location, home);
  return home;
}

/** A clone that was used by root and by a plain user in turn. */
function refuseOtherOwner(folder: string): void {
  const owner = lstatSync(folder, { throwIfNoEntry: false })?.uid;
  const expected = serviceUser()?.uid ?? process.getuid?.();
  if (owner === undefined || expected === undefined || owner === expected) return;
  throw new Error(
    `the data in ${folder} belong to user ${owner}, and this start works as user ${expected}; remove them, or start as before`,
  );
}
