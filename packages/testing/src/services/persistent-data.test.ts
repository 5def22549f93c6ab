import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test } from 'vitest';
import { testFolder } from '../fixtures/test-folder.ts';
import { readFromBoth, writeToBoth } from './planted/inspect.ts';
import { startServices, type Services } from './start-services.ts';

const dataDir = join(testFolder('data'), '.data');
const started: Services[] = [];
afterEach(() => Promise.all(started.splice(0).map((services) => services.stop())));
afterAll(() => {
  // As root, and when PostgreSQL's user cannot reach this clone, the data lie elsewhere.
  const location = join(dataDir, 'location');
  if (existsSync(location)) rmSync(readFileSync(location, 'utf8'), { recursive: true });
  rmSync(dataDir, { recursive: true });
});

test('data outlive a stop, and a second start on the same data is refused and says who uses them', async () => {
  const first = await start();
  await writeToBoth(first, 'before the stop');
  await first.stop();
  const second = await start();
  expect(await readFromBoth(second)).toEqual({ row: 'before the stop', key: 'before the stop' });
  await expect(start()).rejects.toThrow(`another start uses the data in ${dataDir} (process ${second.pids[0]})`);
  expect(await readFromBoth(second)).toEqual({ row: 'before the stop', key: 'before the stop' });
});

async function start(): Promise<Services> {
  const services = await startServices({ dataDir });
  started.push(services);
  return services;
}
