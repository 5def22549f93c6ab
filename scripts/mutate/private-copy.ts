import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface PrivateCopy {
  folder: string;
  remove(): void;
}

/**
 * The repository as it stands, uncommitted changes included, in a temp folder of its own. Libraries are linked, our own packages are
 * not: they must be found in the copy.
 */
export function makePrivateCopy(root: string): PrivateCopy {
  const folder = mkdtempSync(join(tmpdir(), 'mutated-tickmark-'));
  for (const file of listFiles(root)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    cpSync(join(root, file), join(folder, file));
  }
  for (const room of ['', ...roomsIn(folder)]) linkLibraries(root, folder, room);
  // Redis, if it had to be unpacked.
  mkdirSync(join(root, '.cache'), { recursive: true });
  symlinkSync(join(root, '.cache'), join(folder, '.cache'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

function listFiles(root: string): string[] {
  const { stdout, status } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error('git could not list the files: mutations need a clone');
  return stdout.split('\0').filter((file) => file !== '' && existsSync(join(root, file)));
}

function roomsIn(folder: string): string[] {
  return ['packages', 'apps'].flatMap((side) => readdirSync(join(folder, side)).map((name) => join(side, name)));
}

function linkLibraries(root: string, folder: string, room: string): void {
  const from = join(root, room, 'node_modules');
  const to = join(folder, room, 'node_modules');
  if (!existsSync(from)) return;
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    if (name === '@tickmark') linkOurs(join(from, name), join(to, name));
    else symlinkSync(join(from, name), join(to, name));
  }
}

/** npm links `@tickmark/x` relative to itself (`../../packages/x`): the same link in the copy leads to the copy. */
function linkOurs(from: string, to: string): void {
  cpSync(from, to, { recursive: true, verbatimSymlinks: true });
}
