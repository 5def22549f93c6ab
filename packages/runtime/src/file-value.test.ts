import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createFileValue } from './file-value.ts';

let folder = '';
let path = '';
const warnings: string[] = [];
const note = (warning: Error) => warnings.push(warning.message);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tickmark-file-value-'));
  path = join(folder, 'token');
  vi.useFakeTimers({ toFake: ['performance'] });
  process.on('warning', note);
});
afterEach(async () => {
  process.off('warning', note);
  warnings.length = 0;
  vi.useRealTimers();
  await rm(folder, { recursive: true });
});

const upper = (text: string) => {
  if (!/^[a-z]+$/.test(text)) throw new Error('must be letters');
  return text.toUpperCase();
};

test('a change is seen within 5 seconds, without the line end', async () => {
  await writeFile(path, 'old\n');
  const get = createFileValue(path, upper);
  expect(get()).toBe('OLD');
  await writeFile(path, 'fresh\n');
  vi.advanceTimersByTime(5_000);
  expect(get()).toBe('FRESH');
});

test('a file that is replaced by another of the same size is read again', async () => {
  await writeFile(path, 'old');
  const get = createFileValue(path, upper);
  await writeFile(`${path}.next`, 'new');
  await rename(`${path}.next`, path);
  vi.advanceTimersByTime(5_000);
  expect(get()).toBe('NEW');
});

test('the file is looked at once a second at most, and read only when it has changed', async () => {
  await writeFile(path, 'old');
  let reads = 0;
  const get = createFileValue(path, (text) => ((reads += 1), text));
  await writeFile(path, 'fresh');
  for (let index = 0; index < 100; index += 1) expect(get()).toBe('old');
  vi.advanceTimersByTime(1_000);
  for (let index = 0; index < 100; index += 1) expect(get()).toBe('fresh');
  vi.advanceTimersByTime(5_000);
  expect(get()).toBe('fresh');
  expect(reads).toBe(2);
});

test('the last good value stays while the file is away, and the next one is taken', async () => {
  await writeFile(path, 'old');
  const get = createFileValue(path, upper);
  await rm(path);
  vi.advanceTimersByTime(5_000);
  expect(get()).toBe('OLD');
  await writeFile(path, 'back');
  vi.advanceTimersByTime(5_000);
  expect(get()).toBe('BACK');
});

test('content that is not acceptable is not used, and said once', async () => {
  await writeFile(path, 'old');
  const get = createFileValue(path, upper);
  await writeFile(path, '12345');
  for (let index = 0; index < 5; index += 1) {
    vi.advanceTimersByTime(5_000);
    expect(get()).toBe('OLD');
  }
  await setImmediate();
  expect(warnings).toEqual([`${path} changed but is not used: must be letters`]);
});

test('a file that is not there, or not acceptable, the first time is an error', async () => {
  expect(() => createFileValue(path, upper)).toThrow('ENOENT');
  await writeFile(path, '12345');
  expect(() => createFileValue(path, upper)).toThrow('must be letters');
});
