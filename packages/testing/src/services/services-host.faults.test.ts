import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { spawnProcess, type SpawnedProcess } from '../fixtures/spawn-process.ts';
import { testFolder } from '../fixtures/test-folder.ts';
import { waitFor } from '../fixtures/wait-for.ts';
import { isRunning } from './file-lock.ts';
import { allSharedMemory, dataFolderOf, sharedMemoryOf, survivorsOf } from './planted/inspect.ts';
import type { Services, StartServicesOptions } from './start-services.ts';

type Started = Pick<Services, 'databaseUrl' | 'redisUrl' | 'pids'>;

const parents: SpawnedProcess[] = [];
afterEach(() => Promise.all(parents.splice(0).map((parent) => parent.kill('SIGKILL'))));

test('kill -9 of the parent ends both servers and removes their data and shared memory', async () => {
  const { parent, services } = await startParent();
  const folder = await dataFolderOf(services);
  const segment = sharedMemoryOf(folder);
  expect(allSharedMemory()).toContain(segment);
  await parent.kill('SIGKILL');
  expect(await survivorsOf(services.pids)).toEqual([]);
  expect(existsSync(folder)).toBe(false);
  expect(allSharedMemory()).not.toContain(segment);
});

test('kill -9 of the parent while the servers start leaves none behind', async () => {
  const logFolder = testFolder('services');
  const parent = spawnParent({ logFolder });
  const [postgres] = await waitFor(() => pidsIn(join(logFolder, 'postgres.log')), { timeoutMs: 30_000, message: 'PostgreSQL to begin' });
  await parent.kill('SIGKILL');
  expect(await survivorsOf([postgres ?? 0])).toEqual([]);
});

test('a parent that ends without stop() ends the servers', async () => {
  const { parent, services } = await startParent({ postgres: false });
  await parent.kill('SIGTERM');
  expect(await survivorsOf(services.pids)).toEqual([]);
});

test('SIGTERM to the host ends the servers', async () => {
  const { services } = await startParent();
  const folder = await dataFolderOf(services);
  process.kill(services.pids[0] ?? 0, 'SIGTERM');
  expect(await survivorsOf(services.pids)).toEqual([]);
  expect(existsSync(folder)).toBe(false);
});

test('the servers outlive the parent until the watched processes have drained', async () => {
  const app = spawn('sleep', ['60']);
  const appEnded = once(app, 'exit');
  const { parent, services } = await startParent({ postgres: false }, app.pid);
  await parent.kill('SIGKILL');
  // The host polls twenty times a second: half a second later it would have stopped them.
  await expect(waitFor(() => !services.pids.every(isRunning), { timeoutMs: 500 })).rejects.toThrow('in vain');
  app.kill();
  await appEnded;
  expect(await survivorsOf(services.pids)).toEqual([]);
});

function spawnParent(options: StartServicesOptions, watched?: number): SpawnedProcess {
  const args = [JSON.stringify(options), ...(watched === undefined ? [] : [String(watched)])];
  const parent = spawnProcess({ entry: 'packages/testing/src/services/planted/parent.ts', name: 'parent', args });
  parents.push(parent);
  return parent;
}

async function startParent(options: StartServicesOptions = {}, watched?: number): Promise<{ parent: SpawnedProcess; services: Started }> {
  const parent = spawnParent(options, watched);
  return { parent, services: (await parent.waitForMessage((message) => 'pids' in (message as object))) as Started };
}

/** PostgreSQL writes its process id in brackets into each line, the first of them long before it accepts connections. */
function pidsIn(file: string): number[] | undefined {
  const pids = existsSync(file) ? [...readFileSync(file, 'utf8').matchAll(/\[(\d+)\]/g)].map(([, pid]) => Number(pid)) : [];
  return pids.length > 0 ? pids : undefined;
}
