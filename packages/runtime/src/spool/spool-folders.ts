import { appendFile, mkdir, readdir, readFile, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { ErrorLogLimiter } from '../error-log-limiter.ts';
import { isGone, markOf, type ProcessMark } from './spool-owner.ts';
import { orNullIfGone, syncFolder } from './spool-segment.ts';

const OWNER_FILE = 'owner.json';
/** What processes call their folders; a volume may hold others, such as `lost+found`. */
const INSTANCE = /^[0-9a-f]{12}$/;
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

/**
 * Moves the segments of processes that are gone into a folder of ours. Each is moved by a rename, so that of several that try one gets it.
 * A folder that cannot be read keeps nobody from the others. The emptied ones stay until they are removed.
 */
export async function adoptOrphans(dir: string, own: string, errors: ErrorLogLimiter): Promise<Adopted> {
  const adopted: Adopted = { instances: [], segments: [] };
  for (const name of (await readdir(dir)).filter((entry) => INSTANCE.test(entry)).toSorted()) {
    const folder = join(dir, name);
    try {
      // oxlint-disable-next-line no-await-in-loop -- few, and in order
      if (folder === own || !(await isOrphaned(folder))) continue;
      // oxlint-disable-next-line no-await-in-loop -- as above
      adopted.segments.push(...(await takeSegments(folder, own)));
      adopted.instances.push(name);
    } catch (error) {
      errors.error('spool orphan', error, `what another process left behind in ${folder} cannot be taken: give this process the right to`);
    }
  }
  if (adopted.segments.length > 0) {
    await syncFolder(own).catch((error: unknown) =>
      errors.error('spool folder', error, 'what was taken over may be there again after a crash'),
    );
  }
  return adopted;
}

/** Should an owner live after all, it learned of this by SegmentTakenError and makes its folder anew. */
export async function removeTakenFolders(dir: string, instances: readonly string[]): Promise<void> {
  for (const folder of instances.map((instance) => join(dir, instance))) {
    // oxlint-disable-next-line no-await-in-loop -- few
    await rm(join(folder, OWNER_FILE), { force: true });
    // oxlint-disable-next-line no-await-in-loop -- few
    await rmdir(folder).catch(() => undefined);
  }
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
  const names = (await readdir(folder).catch(orNullIfGone)) ?? [];
  for (const name of names.filter((file) => file.endsWith('.seg')).toSorted()) {
    const path = join(own, `${basename(folder)}-${name}`);
    // oxlint-disable-next-line no-await-in-loop -- few, and in order
    const isOurs = await rename(join(folder, name), path).then(
      () => true,
      () => false,
    );
    if (isOurs) taken.push(path);
  }
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
