import { spawnSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { freePort } from './free-port.ts';
import { preparePostgresBinaries } from './postgres-binaries.ts';
import { isUp, serverEnv, spawnServer, type ServerCommand, type ServerProcess } from './server-process.ts';
import { serviceUser } from './service-user.ts';

const PORTS_TRIED = 5;
const USER = 'tickmark';
const DATABASE = 'tickmark';

export interface PostgresOptions {
  /** Where the cluster lies or will lie; the folder above it exists and can be reached by the service user. */
  folder: string;
  logFile: string;
  binaries?: string | undefined;
  /** Whether a power cut right after the start may lose the cluster. */
  temporary: boolean;
}

export interface EmbeddedServer extends ServerProcess {
  url: string;
}

/**
 * Starts the cluster in the folder, made first if there is none, on a free port of 127.0.0.1, with fsync and without passwords.
 *
 * The caller makes sure that no other server works in the folder.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedServer> {
  const binaries = preparePostgresBinaries(options.binaries);
  if (existsSync(join(options.folder, 'PG_VERSION'))) refuseOtherVersion(options.folder, binaries);
  else createCluster(options, binaries);
  passOverStalePid(options.folder);
  for (let attempt = 1; attempt <= PORTS_TRIED; attempt += 1) {
    const port = await freePort();
    const server = await spawnServer({
      program: join(binaries, 'bin/postgres'),
      args: ['-D', options.folder, ...settings(binaries, port, options.temporary)],
      cwd: options.folder,
      user: serviceUser(),
      logFile: options.logFile,
      stopSignals: stopSignals(options.temporary),
    });
    const acceptsConnections = () => Promise.resolve(saysReady(options.folder, server.pid));
    if (await isUp(server, acceptsConnections, { name: 'PostgreSQL', port, logFile: options.logFile })) {
      try {
        return { ...server, url: await ensureDatabase(port) };
      } catch (error) {
        await server.stop();
        throw error;
      }
    }
  }
  throw new Error(`PostgreSQL found ${PORTS_TRIED} free ports, and each was taken by another process before it could use it`);
}

/** SIGINT writes everything dirty to disk first, seconds after many tests; data that are about to be removed are left as they are. */
function stopSignals(temporary: boolean): ServerCommand['stopSignals'] {
  const immediate = { signal: 'SIGQUIT', patienceMs: 10_000 } as const;
  return temporary ? [immediate] : [{ signal: 'SIGINT', patienceMs: 15_000 }, immediate];
}

function settings(binaries: string, port: number, temporary: boolean): string[] {
  const hasStatements = ['lib/postgresql', 'lib'].some((folder) => existsSync(join(binaries, folder, 'pg_stat_statements.so')));
  const values = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: 300,
    fsync: 'on',
    synchronous_commit: 'on',
    // Files in the data folder instead of /dev/shm: nothing remains there after a kill -9, and containers have only 64 MB of it.
    dynamic_shared_memory_type: 'mmap',
    timezone: 'UTC',
    log_timezone: 'UTC',
    // Terse leaves out DETAIL, which quotes whole rows: phone numbers and bodies do not belong in a log.
    log_error_verbosity: 'terse',
    // A checkpoint would write out what is about to be removed. Commits wait for the disk all the same.
    ...(temporary ? { checkpoint_timeout: '1d', max_wal_size: '16GB' } : {}),
    ...(hasStatements ? { shared_preload_libraries: 'pg_stat_statements' } : {}),
  };
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

/** Made beside its place and renamed: an initdb that was killed half-way leaves nothing that looks like a cluster. */
function createCluster(options: PostgresOptions, binaries: string): void {
  const fresh = `${options.folder}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { mode: 0o700, recursive: true });
  const user = serviceUser();
  if (user) chownSync(fresh, user.uid, user.gid);
  const args = ['-D', fresh, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', ...(options.temporary ? ['--no-sync'] : [])];
  const result = spawnSync(join(binaries, 'bin/initdb'), args, {
    cwd: fresh,
    env: serverEnv(),
    encoding: 'utf8',
    ...user,
  });
  if (result.status !== 0) {
    throw new Error(
      `initdb failed (${result.error?.message ?? `exit code ${result.status}`})\n${result.stdout ?? ''}${result.stderr ?? ''}`.trim(),
    );
  }
  rmSync(options.folder, { recursive: true, force: true });
  renameSync(fresh, options.folder);
}

function refuseOtherVersion(folder: string, binaries: string): void {
  const made = readFileSync(join(folder, 'PG_VERSION'), 'utf8').trim();
  const said = spawnSync(join(binaries, 'bin/postgres'), ['--version'], { encoding: 'utf8', ...serviceUser(), cwd: folder }).stdout;
  const ours = / (\d+)/.exec(said)?.[1];
  if (made !== ours)
    throw new Error(`the data in ${folder} were made by PostgreSQL ${made}, this is ${ours}; remove them, or set DATABASE_URL`);
}

/**
 * After a crash postmaster.pid may name a process that is another one's by now, the more likely in a container, where ids
 * begin anew; then PostgreSQL would refuse to start. The caller made sure that nobody works in the folder. The file stays,
 * because its seventh line is how PostgreSQL finds out about server processes that are still ending; but it names this
 * process, and PostgreSQL passes over the id of its own parent.
 */
function passOverStalePid(folder: string): void {
  const file = join(folder, 'postmaster.pid');
  if (!existsSync(file)) return;
  const [, ...rest] = readFileSync(file, 'utf8').split('\n');
  writeFileSync(file, [process.pid, ...rest].join('\n'));
}

/** The eighth line of postmaster.pid is what pg_ctl waits for, too. A stale file of a crash names another process in its first line. */
function saysReady(folder: string, pid: number): boolean {
  const file = join(folder, 'postmaster.pid');
  const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
  return lines[0]?.trim() === String(pid) && lines[7]?.trim() === 'ready';
}

async function ensureDatabase(port: number): Promise<string> {
  const server = `postgres://${USER}@127.0.0.1:${port}`;
  const sql = postgres(`${server}/postgres`, { max: 1 });
  try {
    const [row] = await sql`SELECT 1 FROM pg_database WHERE datname = ${DATABASE}`;
    if (!row) await sql`CREATE DATABASE ${sql(DATABASE)}`;
  } finally {
    await sql.end();
  }
  return `${server}/${DATABASE}`;
}
