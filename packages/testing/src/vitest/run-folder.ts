import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../services/repository.ts';

/** Folders of earlier runs that are kept, to look into after a failure. */
const RUNS_KEPT = 20;
/** A younger one may belong to a run that has not ended. */
const AGE_MIN_MS = 2 * 3_600_000;

/** The folder for logs and spools of this run; those of old runs go. Names begin with the time, so they sort by age. */
export function makeRunFolder(id: string): string {
  const all = join(cacheFolder, 'test-logs');
  mkdirSync(all, { recursive: true });
  const old = readdirSync(all)
    .toSorted()
    .slice(0, -RUNS_KEPT)
    .map((name) => join(all, name))
    .filter((path) => Date.now() - statSync(path).mtimeMs > AGE_MIN_MS);
  for (const path of old) rmSync(path, { recursive: true, force: true });
  const folder = join(all, id);
  mkdirSync(folder);
  return folder;
}
