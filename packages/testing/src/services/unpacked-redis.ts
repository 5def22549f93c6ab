import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { hasDebianTools, unpackDebianPackages } from './debian-packages.ts';
import { withLock } from './file-lock.ts';
import { REDIS_MAJOR_MIN, REDIS_PROGRAM_NAMES, isUsableRedis, type RedisProgram } from './redis-program.ts';

const PACKAGES = [
  ['redis-server', 'redis-tools'],
  ['valkey-server', 'valkey-tools'],
];

/**
 * The Redis of Debian's or Ubuntu's own package, unpacked into the cache folder at the first call and found there afterwards.
 *
 * Two processes that call at once fetch it once: the second waits. What the cache holds is complete, because it is renamed
 * into its place after it has run.
 *
 * @returns why there is none, when this is another system, or its package sources cannot be reached or are too old
 */
export async function unpackedRedis(cache: string, onProgress?: (text: string) => void): Promise<RedisProgram | string> {
  const found = findUnpacked(cache);
  if (found) return found;
  if (!hasDebianTools()) return 'this is neither Debian nor Ubuntu, whose package could be unpacked';
  mkdirSync(cache, { recursive: true });
  try {
    return await withLock(join(cache, 'lock'), async () => findUnpacked(cache) ?? (await unpack(cache, onProgress)), {
      timeoutMs: 180_000,
    });
  } catch (error) {
    return `the distribution's package cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
}

async function unpack(cache: string, onProgress?: (text: string) => void): Promise<RedisProgram> {
  onProgress?.('fetching Redis from the distribution into .cache');
  for (const name of readdirSync(cache).filter((entry) => entry.startsWith('new-')))
    rmSync(join(cache, name), { recursive: true, force: true });
  const work = mkdtempSync(join(cache, 'new-'));
  try {
    await unpackDebianPackages(PACKAGES, join(work, 'apt'), join(work, 'root'));
    if (!programIn(join(work, 'root'))) throw new Error(`what was unpacked does not run, or is older than version ${REDIS_MAJOR_MIN}`);
    rmSync(join(cache, 'root'), { recursive: true, force: true });
    renameSync(join(work, 'root'), join(cache, 'root'));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const program = findUnpacked(cache);
  if (!program) throw new Error('what was unpacked does not run from its final place');
  return program;
}

function findUnpacked(cache: string): RedisProgram | null {
  return programIn(join(cache, 'root'));
}

function programIn(root: string): RedisProgram | null {
  if (!existsSync(root)) return null;
  const env = { LD_LIBRARY_PATH: libraryFolders(root).join(':') };
  const program = REDIS_PROGRAM_NAMES.map((name) => join(root, 'usr/bin', name)).find(
    (path) => existsSync(path) && isUsableRedis(path, env),
  );
  return program ? { command: (settings) => ({ program, args: settings, env }) } : null;
}

/** `/usr/lib/x86_64-linux-gnu` and its like, below the root. */
function libraryFolders(root: string): string[] {
  const parents = ['usr/lib', 'lib'].map((folder) => join(root, folder)).filter((folder) => existsSync(folder));
  const triplets = parents.flatMap((parent) =>
    readdirSync(parent, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && entry.name.includes('-linux-'))
      .map((entry) => join(parent, entry.name)),
  );
  return [...triplets, ...parents];
}
