import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface LockEntry {
  optionalDependencies?: Record<string, string>;
}

const lockfile = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8')) as {
  packages: Record<string, LockEntry>;
};

/** Where npm would find `name` from the folder `from`: in its own node_modules or in one further up. */
function isInLock(packages: Record<string, LockEntry>, from: string, name: string): boolean {
  for (let folder = from; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
    if (packages[`${folder === '' ? '' : `${folder}/`}node_modules/${name}`]) return true;
    if (folder === '') return false;
  }
}

function findMissing(packages: Record<string, LockEntry>): string[] {
  return Object.entries(packages).flatMap(([folder, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter((name) => !isInLock(packages, folder, name)),
  );
}

it('the lockfile has an entry for every platform’s optional package, so that npm ci passes on each of them', () => {
  expect(Object.keys(lockfile.packages).length).toBeGreaterThan(100);
  expect(findMissing(lockfile.packages)).toEqual([]);
});

it('notices an entry that was left out', () => {
  const packages = { 'node_modules/a': { optionalDependencies: { 'a-linux': '1.0.0', 'a-darwin': '1.0.0' } }, 'node_modules/a-linux': {} };
  expect(findMissing(packages)).toEqual(['a-darwin']);
});
