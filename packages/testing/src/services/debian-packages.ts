import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parsePackages, type DebianPackage } from './debian-control.ts';

const run = promisify(execFile);
const STATUS_FILE = '/var/lib/dpkg/status';

/** Whether this system has the programs that fetch and unpack a Debian package. */
export function hasDebianTools(): boolean {
  return existsSync(STATUS_FILE) && ['/usr/bin/apt-get', '/usr/bin/apt-cache', '/usr/bin/dpkg'].every((program) => existsSync(program));
}

/**
 * Fetches the packages and everything that they depend on and the system lacks, and unpacks all of it below `root`.
 *
 * Neither root nor the system's own package state is touched: apt gets a state of its own inside `workFolder`. Nothing is
 * installed, no maintainer script runs.
 *
 * @param candidates lists of packages; the first list whose packages all exist is taken
 * @returns the packages that were unpacked
 */
export async function unpackDebianPackages(candidates: readonly string[][], workFolder: string, root: string): Promise<string[]> {
  const apt = prepareApt(workFolder);
  await apt('apt-get', ['update']);
  const wanted = await firstThatExists(apt, candidates);
  const names = await withMissingDependencies(apt, wanted);
  const archives = join(workFolder, 'archives');
  mkdirSync(archives, { recursive: true });
  await apt('apt-get', ['download', ...names], archives);
  mkdirSync(root, { recursive: true });
  for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
    await run('/usr/bin/dpkg', ['-x', join(archives, file), root]);
  }
  return names;
}

type Apt = (program: 'apt-get' | 'apt-cache', args: readonly string[], cwd?: string) => Promise<string>;

function prepareApt(workFolder: string): Apt {
  for (const folder of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(workFolder, folder), { recursive: true });
  const config = join(workFolder, 'apt.conf');
  // The hooks are cleared: images for containers have one that empties the system's own package cache after each update.
  const lines = [
    `Dir::State::Lists "${workFolder}/lists";`,
    `Dir::Cache "${workFolder}/cache";`,
    'Debug::NoLocking "1";',
    'APT::Sandbox::User "root";',
    'Acquire::Retries "2";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
    'Acquire::Languages "none";',
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  return async (program, args, cwd = workFolder) => {
    const options = { cwd, env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' }, timeout: 120_000, maxBuffer: 64 * 1024 * 1024 };
    try {
      return (await run(`/usr/bin/${program}`, ['-q', '-c', config, ...args], options)).stdout;
    } catch (error) {
      const { stderr = '' } = error as { stderr?: string };
      throw new Error(`${program} ${args[0]} failed: ${stderr.trim().split('\n').slice(-5).join(' ')}`, { cause: error });
    }
  };
}

async function firstThatExists(apt: Apt, candidates: readonly string[][]): Promise<string[]> {
  for (const names of candidates) {
    const known = await showPackages(apt, names);
    if (names.every((name) => known.has(name))) return names;
  }
  throw new Error(`the package sources of this system have none of ${candidates.map((names) => names[0]).join(', ')}`);
}

async function withMissingDependencies(apt: Apt, wanted: readonly string[]): Promise<string[]> {
  const installed = installedNames();
  const chosen = new Set<string>();
  for (let level = [...wanted]; level.length > 0;) {
    const known = await showPackages(apt, level);
    for (const name of known.keys()) chosen.add(name);
    const missing = [...known.values()]
      .flatMap((found) => found.dependencies)
      .filter((names) => !names.some((name) => installed.has(name) || chosen.has(name)));
    level = [...new Set(missing.map((names) => names[0] ?? ''))];
  }
  return [...chosen];
}

/** Names of installed packages and of what they provide, for instance `libcurl4` by `libcurl4t64`. */
function installedNames(): Set<string> {
  const packages = [...parsePackages(readFileSync(STATUS_FILE, 'utf8'))].filter(([, { isInstalled }]) => isInstalled);
  return new Set(packages.flatMap(([name, { provides }]) => [name, ...provides]));
}

/** The newest version of each name that the sources have. Unknown names are left out. */
async function showPackages(apt: Apt, names: readonly string[]): Promise<Map<string, DebianPackage>> {
  // apt-cache fails when one name of several is unknown, for instance a purely virtual one, so unknown ones are asked away first.
  const all = new Set((await apt('apt-cache', ['pkgnames'])).split('\n'));
  const known = names.filter((name) => all.has(name));
  if (known.length === 0) return new Map();
  return parsePackages(await apt('apt-cache', ['show', '--no-all-versions', ...known]));
}
