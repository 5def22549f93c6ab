import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parsePackages, type DebianPackage } from './debian-control.ts';

const run = promisify(execFile);
const STATUS_FILE = '/var/lib/dpkg/status';
const SYSTEM_LISTS = '/var/lib/apt/lists';

/** Whether this system has the programs that fetch and unpack a Debian package. */
export function hasDebianTools(): boolean {
  return existsSync(STATUS_FILE) && ['/usr/bin/apt-get', '/usr/bin/apt-cache', '/usr/bin/dpkg'].every((program) => existsSync(program));
}

/**
 * Fetches the packages and everything that they depend on and the system lacks, and unpacks all of it below `root`.
 *
 * Neither root nor the system's own package state is touched: apt gets a state of its own inside `workFolder`. Nothing is
 * installed, no maintainer script runs. The system's lists of packages are read first; when there are none, or what they
 * name is no longer to be had, lists of our own are fetched.
 *
 * @param candidates lists of packages; the first list whose packages all exist is taken
 */
export async function unpackDebianPackages(candidates: readonly string[][], workFolder: string, root: string): Promise<void> {
  const archives = join(workFolder, 'archives');
  mkdirSync(archives, { recursive: true });
  try {
    if (!existsSync(SYSTEM_LISTS)) throw new Error('no lists');
    await download(prepareApt(workFolder, SYSTEM_LISTS), candidates, archives);
  } catch {
    // Whatever was wrong with the system's lists, the next attempt tells what is wrong with this machine.
    const apt = prepareApt(workFolder, join(workFolder, 'lists'));
    await apt('apt-get', ['update']);
    await download(apt, candidates, archives);
  }
  mkdirSync(root, { recursive: true });
  for (const file of readdirSync(archives).filter((name) => name.endsWith('.deb'))) {
    await run('/usr/bin/dpkg', ['-x', join(archives, file), root]);
  }
}

async function download(apt: Apt, candidates: readonly string[][], archives: string): Promise<void> {
  for (const names of candidates) {
    const known = await showPackages(apt, names);
    if (!names.every((name) => known.has(name))) continue;
    await apt('apt-get', ['download', ...(await withMissingDependencies(apt, known))], archives);
    return;
  }
  throw new Error(`the package sources of this system have none of ${candidates.map(([name]) => name).join(', ')}`);
}

type Apt = (program: 'apt-get' | 'apt-cache', args: readonly string[], cwd?: string) => Promise<string>;

function prepareApt(workFolder: string, lists: string): Apt {
  for (const folder of ['lists/partial', 'cache/archives/partial']) mkdirSync(join(workFolder, folder), { recursive: true });
  const config = join(workFolder, 'apt.conf');
  const lines = [
    `Dir::State::Lists "${lists}";`,
    `Dir::Cache "${workFolder}/cache";`,
    // Images for containers switch these files off; without them each call below reads all lists anew.
    'Dir::Cache::pkgcache "pkgcache.bin";',
    'Dir::Cache::srcpkgcache "srcpkgcache.bin";',
    // And they have a hook that empties the system's own package cache after each update.
    '#clear APT::Update::Pre-Invoke;',
    '#clear APT::Update::Post-Invoke;',
    '#clear APT::Update::Post-Invoke-Success;',
    'Debug::NoLocking "1";',
    'APT::Sandbox::User "root";',
    'Acquire::Retries "2";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
    'Acquire::Languages "none";',
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

async function withMissingDependencies(apt: Apt, wanted: ReadonlyMap<string, DebianPackage>): Promise<string[]> {
  const installed = installedNames();
  const chosen = new Set<string>();
  for (let level = wanted; level.size > 0;) {
    for (const name of level.keys()) chosen.add(name);
    const missing = [...level.values()]
      .flatMap(({ dependencies }) => dependencies)
      .filter((names) => !names.some((name) => installed.has(name) || chosen.has(name)));
    level = await showPackages(apt, [...new Set(missing.map(([name = '']) => name))]);
  }
  return [...chosen];
}

/** Names of installed packages and of what they provide, for instance `libcurl4` by `libcurl4t64`. */
function installedNames(): Set<string> {
  const packages = [...parsePackages(readFileSync(STATUS_FILE, 'utf8'))].filter(([, { isInstalled }]) => isInstalled);
  return new Set(packages.flatMap(([name, { provides }]) => [name, ...provides]));
}

/** The newest version of each name that the sources have. Unknown and purely virtual names are left out. */
async function showPackages(apt: Apt, names: readonly string[]): Promise<Map<string, DebianPackage>> {
  if (names.length === 0) return new Map();
  try {
    return parsePackages(await apt('apt-cache', ['show', '--no-all-versions', ...names]));
  } catch {
    // apt-cache fails when it knows none of the names.
    return new Map();
  }
}
