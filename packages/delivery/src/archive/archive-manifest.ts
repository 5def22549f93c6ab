import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeDurably } from './durable-files.ts';

/**
 * What stands beside each file of an archive, as `<name>.manifest.json`. It names the file that counts; a file that no manifest names was
 * never finished.
 */
export interface ArchiveManifest {
  version: 1;
  name: string;
  /** `<name>.<n>.ndjson.gz`; n grows when the file is written anew without what was erased. */
  file: string;
  records: number;
  /** Of the file as it is. */
  bytes: number;
  sha256: string;
  /** SHA-256 in hex of the lines, unpacked. */
  contentSha256: string;
  /** ISO 8601 in UTC. */
  createdAt: string;
  /** `pending`: rows of it may still be in the database · `done`: they were deleted · `damaged`: the file does not match, nothing more is deleted by it. */
  state: 'pending' | 'done' | 'damaged';
}

const SUFFIX = '.manifest.json';

export interface ArchiveSurvey {
  /** The oldest first. */
  manifests: ArchiveManifest[];
  /** One for each manifest that was changed or cut. */
  damaged: ArchiveDamagedError[];
}

/** Manifests of a folder; none when it is not there. */
export async function readManifests(dir: string): Promise<ArchiveSurvey> {
  const names = (await listFolder(dir)).filter((name) => name.endsWith(SUFFIX)).toSorted();
  const read = await Promise.all(names.map(async (name) => parseManifest(name, await readFile(join(dir, name), 'utf8'))));
  return {
    manifests: read.flatMap((one) => (one instanceof ArchiveDamagedError ? [] : [one])),
    damaged: read.flatMap((one) => (one instanceof ArchiveDamagedError ? [one] : [])),
  };
}

/** Names of the files in a folder; none when it is not there. */
export async function listFolder(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** Writes or replaces a manifest at one stroke. */
export async function writeManifest(dir: string, manifest: ArchiveManifest): Promise<void> {
  await writeDurably(dir, `${manifest.name}${SUFFIX}`, `${JSON.stringify({ ...manifest, manifestSha256: hashOf(manifest) }, null, 2)}\n`);
}

/** What an archive holds does not match what it says of itself. The message names the file. */
export class ArchiveDamagedError extends Error {
  /** Of the archive, when its manifest is what is damaged. */
  readonly archive: string | null;

  constructor(message: string, { archive, ...options }: { cause?: unknown; archive?: string } = {}) {
    super(message, options);
    this.archive = archive ?? null;
    this.name = 'ArchiveDamagedError';
  }
}

function parseManifest(name: string, text: string): ArchiveManifest | ArchiveDamagedError {
  try {
    const { manifestSha256, ...manifest } = JSON.parse(text) as ArchiveManifest & { manifestSha256: string };
    if (manifest.version === 1 && manifestSha256 === hashOf(manifest)) return manifest;
  } catch {
    // Cut or overwritten: the same as one that was changed.
  }
  return new ArchiveDamagedError(`${name} is damaged, or of another release: put it back from a copy of ARCHIVE_DIR`, {
    archive: name.slice(0, -SUFFIX.length),
  });
}

function hashOf(manifest: ArchiveManifest): string {
  return createHash('sha256').update(JSON.stringify(manifest)).digest('hex');
}
