// Installs the dependencies when they are missing or the lockfile changed. Runs before start, test, verify and bench, on a bare clone:
// so it uses nothing but Node itself.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const NODE_MIN = [20, 19];
const LOCK_WAIT_SECONDS_MAX = 600;

const root = fileURLToPath(new URL('..', import.meta.url));
const stampFile = `${root}node_modules/.install-stamp`;
const lockFile = `${root}.cache/install.lock`;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  console.error(
    `Tickmark needs Node ${NODE_MIN.join('.')} or newer; this is ${process.versions.node}. Install Node 24 and run the command again.`,
  );
  process.exit(1);
}

const stamp = createHash('sha256')
  .update(readFileSync(`${root}package-lock.json`))
  .update(`${process.platform} ${process.arch} ${major}`)
  .digest('hex');

if (!isInstalled()) {
  takeLock();
  try {
    if (!isInstalled()) install();
  } finally {
    rmSync(lockFile, { force: true });
  }
}

function isInstalled() {
  return existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp;
}

function install() {
  console.error('Installing dependencies (once; under a minute with a warm cache) …');
  // Dev dependencies are wanted whatever NODE_ENV says: the services that a first start needs are among them.
  const quiet = ['--include=dev', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'];
  // A registry mirror without some platform's optional package makes `npm ci` refuse the lockfile; `npm install --no-save` does not.
  if (npm(['ci', ...quiet]) !== 0 && npm(['install', '--no-save', ...quiet]) !== 0) {
    console.error('npm could not install the dependencies. Check the lines above and the network, then run the command again.');
    process.exit(1);
  }
  writeFileSync(stampFile, stamp);
}

function npm(args) {
  const npmCli = process.env.npm_execpath;
  const [command, first] = npmCli ? [process.execPath, [npmCli]] : ['npm', []];
  const { status } = spawnSync(command, [...first, ...args], { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  return status;
}

/** One install at a time, also with two terminals; a lock whose owner is dead is taken over. */
function takeLock() {
  mkdirSync(`${root}.cache`, { recursive: true });
  for (let waitedSeconds = 0; ; waitedSeconds++) {
    try {
      writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!isAlive(lockOwner())) rmSync(lockFile, { force: true });
    else if (waitedSeconds >= LOCK_WAIT_SECONDS_MAX) throw new Error(`Another install holds ${lockFile}. If none runs, delete the file.`);
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000);
  }
}

function lockOwner() {
  try {
    return Number(readFileSync(lockFile, 'utf8'));
  } catch {
    // Released between the two calls: nobody owns it.
    return 0;
  }
}

function isAlive(pid) {
  if (!pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
