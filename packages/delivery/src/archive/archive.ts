import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Failpoints } from '@tickmark/runtime';
import { readArchiveFile, writeArchiveFile } from './archive-file.ts';
import { listFolder, readManifests, writeManifest, type ArchiveManifest, type ArchiveSurvey } from './archive-manifest.ts';
import type { ArchiveRecord } from './archive-record.ts';
import { syncFolder, writeDurably } from './durable-files.ts';

/** The folder `ARCHIVE_DIR`. One process at a time may write to it: whoever does holds the advisory lock `retention`. */
export interface Archive {
  readonly dir: string;
  /**
   * Writes records to a new file, reads it back from the disk, and only then names it in a manifest (`pending`).
   *
   * @returns null when there was no record. Interrupted, it leaves a file that no manifest names
   */
  write(records: AsyncIterable<ArchiveRecord>): Promise<ArchiveManifest | null>;
  /**
   * Names the folder, wherever it is mounted; made when there is none. More than one: the files of the others were moved here, and somebody
   * wrote down so (a line each in `archive-id`).
   */
  readIdentities(): Promise<string[]>;
  /** Every manifest, the oldest first; none when the folder is not there. @throws ArchiveDamagedError when one was changed or cut */
  list(): Promise<ArchiveManifest[]>;
  /** The same for whoever can do without the damaged ones. */
  survey(): Promise<ArchiveSurvey>;
  /** The records of a file. @throws ArchiveDamagedError, see {@link readArchiveFile} */
  read(manifest: ArchiveManifest): AsyncGenerator<ArchiveRecord>;
  /** Says how far the deletion of what the file holds has come. */
  setState(manifest: ArchiveManifest, state: ArchiveManifest['state']): Promise<void>;
  /** Writes a file anew with the records that `change` gives back (null = without it). The old file goes when the manifest names the new one. */
  rewrite(manifest: ArchiveManifest, change: (record: ArchiveRecord) => ArchiveRecord | null): Promise<void>;
  /**
   * Deletes files that were never finished or were replaced. A whole one that no manifest names is moved to the folder `leftovers`: it may be the only
   * copy of its rows when the folder is being put back, or lost a manifest.
   */
  putLeftoversAside(): Promise<void>;
  /** Deletes every file that no manifest names, the folder `leftovers` too. */
  removeLeftovers(): Promise<void>;
}

const IDENTITY = 'archive-id';

const LEFTOVERS = 'leftovers';

const WHOLE = /\.\d+\.ndjson\.gz$/;
const FILE = /\.ndjson\.gz$|\.part$/;

export function createArchive({ dir, failpoints }: { dir: string; failpoints?: Pick<Failpoints, 'reach'> }): Archive {
  const reach = async (name: 'archive-before-rename' | 'archive-before-manifest') => failpoints?.reach(name);

  async function writeFile(name: string, file: string, records: AsyncIterable<ArchiveRecord>, state: ArchiveManifest['state']) {
    const part = join(dir, `${file}.part`);
    const sums = await writeArchiveFile(part, records);
    if (sums.records === 0) {
      await unlink(part);
      return null;
    }
    await reach('archive-before-rename');
    await rename(part, join(dir, file));
    await syncFolder(dir);
    await readToEnd(readArchiveFile(join(dir, file), sums));
    await reach('archive-before-manifest');
    const manifest: ArchiveManifest = { version: 1, name, file, ...sums, createdAt: new Date().toISOString(), state };
    await writeManifest(dir, manifest);
    return manifest;
  }

  const archive: Archive = {
    dir,
    async write(records) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const name = `${new Date().toISOString().replaceAll(/[-:.]/g, '')}-${randomUUID().slice(0, 8)}`;
      return writeFile(name, `${name}.1.ndjson.gz`, records, 'pending');
    },
    async readIdentities() {
      const path = join(dir, IDENTITY);
      try {
        const identities = (await readFile(path, 'utf8')).split(/\s+/).filter((line) => line !== '');
        if (identities.length > 0) return identities;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const identity = randomUUID();
      await writeDurably(dir, IDENTITY, `${identity}\n`);
      return [identity];
    },
    async list() {
      const { manifests, damaged } = await archive.survey();
      if (damaged[0] !== undefined) throw damaged[0];
      return manifests;
    },
    survey: () => readManifests(dir),
    read: (manifest) => readArchiveFile(join(dir, manifest.file), manifest),
    setState: (manifest, state) => writeManifest(dir, { ...manifest, state }),
    async rewrite(manifest, change) {
      const generation = Number(/\.(\d+)\.ndjson\.gz$/.exec(manifest.file)?.[1] ?? 1) + 1;
      const kept = async function* () {
        for await (const record of archive.read(manifest)) {
          const changed = change(record);
          if (changed !== null) yield changed;
        }
      };
      const written = await writeFile(manifest.name, `${manifest.name}.${generation}.ndjson.gz`, kept(), manifest.state);
      if (written === null) await unlink(join(dir, `${manifest.name}.manifest.json`));
      await unlink(join(dir, manifest.file));
      await syncFolder(dir);
    },
    async putLeftoversAside() {
      const { manifests, damaged } = await archive.survey();
      const files = new Map<string | null, string | null>(manifests.map(({ name, file }) => [name, file]));
      for (const { archive: name } of damaged) files.set(name, null);
      for (const file of await listFolder(dir)) {
        const name = file.replace(WHOLE, '');
        const counts = files.get(name);
        if (!FILE.test(file) || counts === file || (counts === null && WHOLE.test(file))) continue;
        if (counts !== undefined || !WHOLE.test(file)) await unlink(join(dir, file));
        else {
          await mkdir(join(dir, LEFTOVERS), { recursive: true, mode: 0o700 });
          await rename(join(dir, file), join(dir, LEFTOVERS, file));
        }
      }
    },
    async removeLeftovers() {
      const named = new Set((await archive.list()).map(({ file }) => file));
      const names = await listFolder(dir);
      await Promise.all(names.filter((name) => FILE.test(name) && !named.has(name)).map((name) => unlink(join(dir, name))));
      await rm(join(dir, LEFTOVERS), { recursive: true, force: true });
    },
  };
  return archive;
}

/** Sees to it that a file is what was written. @throws ArchiveDamagedError */
export async function readToEnd(records: AsyncGenerator<ArchiveRecord>): Promise<void> {
  while ((await records.next()).done !== true);
}
