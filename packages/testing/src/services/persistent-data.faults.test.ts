import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { testFolder } from '../fixtures/test-folder.ts';
import { currentTestRun } from '../fixtures/test-run.ts';
import { waitFor } from '../fixtures/wait-for.ts';
import { isRunning } from './file-lock.ts';
import { PERSISTENT_FILE, TEMP_PREFIX } from './folder-names.ts';
import {
  allSharedMemory,
  backendPids,
  checkpointerPid,
  dataFolderOf,
  readFromBoth,
  sharedMemoryOf,
  survivorsOf,
  writeToBoth,
} from './planted/inspect.ts';
import { reachableTempFolder } from './service-user.ts';
import { startServices, type Services, type StartServicesOptions } from './start-services.ts';

const dataDir = join(testFolder('data'), '.data');
const started: Services[] = [];
afterEach(() => Promise.all(started.splice(0).map((services) => services.stop())));
afterAll(() => {
  const location = join(dataDir, 'location');
  if (existsSync(location)) rmSync(readFileSync(location, 'utf8'), { recursive: true });
  rmSync(dataDir, { recursive: true, force: true });
});

test('data outlive kill -9 of the host and of everything, also when the id of the dead PostgreSQL is in use again', async () => {
  const first = await start({ dataDir });
  await writeToBoth(first, 'before the kill');
  await killHost(first);
  const second = await start({ dataDir });
  expect(first.pids.filter(isRunning)).toEqual([]);
  expect(await readFromBoth(second)).toEqual({ row: 'before the kill', key: 'before the kill' });

  const folder = await dataFolderOf(second);
  for (const pid of second.pids) process.kill(pid, 'SIGKILL');
  expect(await survivorsOf(second.pids)).toEqual([]);
  const pidFile = join(folder, 'postmaster.pid');
  const [, ...rest] = readFileSync(pidFile, 'utf8').split('\n');
  writeFileSync(pidFile, [await checkpointerPid(currentTestRun().databaseUrl), ...rest].join('\n'));
  expect(await readFromBoth(await start({ dataDir }))).toEqual({ row: 'before the kill', key: 'before the kill' });
});

test('a temp folder whose host was killed is removed by the next start, with the server that still runs and the memory of the one that does not', async () => {
  const abandoned = await start();
  const dataFolder = await dataFolderOf(abandoned);
  const folder = dirname(dataFolder);
  const segment = sharedMemoryOf(dataFolder);
  const [, postmaster = 0] = abandoned.pids;
  const backends = await backendPids(abandoned.databaseUrl);
  await killHost(abandoned);
  process.kill(postmaster, 'SIGKILL');
  expect(await survivorsOf([postmaster, ...backends])).toEqual([]);
  expect(allSharedMemory()).toContain(segment);
  makeOld(folder);
  await start({ postgres: false });
  // Polled, because another test's start may have been the next one and still be at it.
  expect(await survivorsOf(abandoned.pids)).toEqual([]);
  expect(await waitFor(() => !existsSync(folder), { timeoutMs: 30_000 })).toBe(true);
  expect(allSharedMemory()).not.toContain(segment);
});

test('a server on persistent data whose host was killed is stopped by a start elsewhere, and its data stay', async () => {
  const abandoned = await start({ dataDir, postgres: false });
  await killHost(abandoned);
  const folder = readdirSync(reachableTempFolder())
    .filter((name) => name.startsWith(TEMP_PREFIX))
    .map((name) => join(reachableTempFolder(), name))
    .find((path) => existsSync(join(path, PERSISTENT_FILE)) && readFileSync(join(path, PERSISTENT_FILE), 'utf8').includes(dataDir));
  makeOld(folder ?? '');
  await start({ postgres: false });
  expect(await survivorsOf(abandoned.pids)).toEqual([]);
  expect(await waitFor(() => !existsSync(folder ?? ''), { timeoutMs: 30_000 })).toBe(true);
  expect((await start({ dataDir, postgres: false })).pids).toHaveLength(2);
});

test('a cluster whose making was cut short is made anew', async () => {
  const first = await start({ dataDir, redis: false });
  const folder = await dataFolderOf(first);
  await first.stop();
  rmSync(folder, { recursive: true });
  mkdirSync(`${folder}.new`);
  writeFileSync(`${folder}.new/PG_VERSION`, '18\n');
  expect(await dataFolderOf(await start({ dataDir, redis: false }))).toBe(folder);
});

async function start(options: StartServicesOptions = {}): Promise<Services> {
  const services = await startServices(options);
  started.push(services);
  return services;
}

/** A start leaves young folders alone: their host may be about to lock them. */
function makeOld(folder: string): void {
  const hourAgo = Date.now() / 1000 - 3_600;
  utimesSync(folder, hourAgo, hourAgo);
}

/** Its servers live on, without anybody to stop them. */
async function killHost({ pids: [host = 0] }: Services): Promise<void> {
  process.kill(host, 'SIGKILL');
  expect(await survivorsOf([host])).toEqual([]);
}
