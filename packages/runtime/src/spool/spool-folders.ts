import { appendFile, mkdir, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isGone, markOf, type ProcessMark } from './spool-owner.ts';
import { syncFolder } from './spool-segment.ts';

const OWNER_FILE = 'owner.json';
const QUARANTINE = 'damaged';

/** A folder without an owner file this long after it was made was left by a process that died between the two. */
const UNOWNED_MS = 60_000;

/** Makes a process's own folder and writes down whose it is. @throws Error that says what to do when the disk does not let it */
export async function claimFolder(dir: string, instance: string): Promise<void> {
  const folder = join(dir, instance);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeFile(join(folder, OWNER_FILE), JSON.stringify(markOf(process.pid)), { flush: true });
    await syncFolder(folder);
    await syncFolder(dir);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`SPOOL_DIR ${dir} cannot be written to (${reason}): give this process a folder on a persistent volume.`, {
      cause: error,
    });
  }
}

/** What was taken over: the names of the processes' folders, and the new paths of their segments, the oldest of each process first. */
export interface Adopted {
  instances: string[];
  segments: string[];
}

/** Moves the segments of processes that are gone into a folder of ours. Each is moved by a rename, so that of several that try one gets it. */
export async function adoptOrphans(dir: string, own: string): Promise<Adopted> {
  const adopted: Adopted = { instances: [], segments: [] };
  for (const name of (await readdir(dir)).toSorted()) {
    const folder = join(dir, name);
    // oxlint-disable-next-line no-await-in-loop -- few, and in order
    if (name === QUARANTINE || folder === own || !(await isOrphaned(folder))) continue;
    // oxlint-disable-next-line no-await-in-loop -- as above
    adopted.segments.push(...(await takeSegments(folder, own)));
    adopted.instances.push(name);
  }
  if (adopted.segments.length > 0) await syncFolder(own);
  return adopted;
}

async function isOrphaned(folder: string): Promise<boolean> {
  const owner = await readOwner(folder);
  if (owner !== null) return isGone(owner);
  const made = await stat(folder).catch(() => null);
  return made !== null && made.isDirectory() && Date.now() - made.mtimeMs > UNOWNED_MS;
}

/** Null where none is written, or only half of it because its process died meanwhile. */
async function readOwner(folder: string): Promise<ProcessMark | null> {
  const text = await readFile(join(folder, OWNER_FILE), 'utf8').catch(() => 'null');
  try {
    return JSON.parse(text) as ProcessMark | null;
  } catch {
    return null;
  }
}

async function takeSegments(folder: string, own: string): Promise<string[]> {
  const taken: string[] = [];
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter((file) => file.endsWith('.seg')).toSorted()) {
    const path = join(own, `${basename(folder)}-${name}`);
    // oxlint-disable-next-line no-await-in-loop -- few, and in order
    const isOurs = await rename(join(folder, name), path).then(
      () => true,
      () => false,
    );
    if (isOurs) taken.push(path);
  }
  // Should its owner live after all, it learns of this by SegmentTakenError and makes the folder anew.
  await rm(join(folder, OWNER_FILE), { force: true });
  await rmdir(folder).catch(() => undefined);
  return taken;
}

/** Keeps lines that cannot be read, for a person. @returns where */
export async function quarantine(dir: string, segmentPath: string, lines: readonly Buffer[]): Promise<string> {
  await mkdir(join(dir, QUARANTINE), { recursive: true, mode: 0o700 });
  const path = join(dir, QUARANTINE, basename(segmentPath));
  for (const line of lines) {
    // oxlint-disable-next-line no-await-in-loop -- few
    await appendFile(path, Buffer.concat([line, Buffer.from('\n')]), { mode: 0o600 });
  }
  return path;
}
