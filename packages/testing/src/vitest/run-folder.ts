import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from '../services/repository.ts';

/** Folders of earlier runs that are kept, to look into after a failure. More than run at the same time. */
const RUNS_KEPT = 20;

/** The folder for logs and spools of this run; those of old runs go. Names begin with the time, so they sort by age. */
export function makeRunFolder(id: string): string {
  const all = join(cacheFolder, 'test-logs');
  mkdirSync(all, { recursive: true });
  for (const name of readdirSync(all).toSorted().slice(0, -RUNS_KEPT)) rmSync(join(all, name), { recursive: true, force: true });
  const folder = join(all, id);
  mkdirSync(folder);
  return folder;
}
