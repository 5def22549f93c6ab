import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { testFolder } from '../fixtures/test-folder.ts';
import { preparePostgresBinaries } from './postgres-binaries.ts';

const isRoot = process.getuid?.() === 0;
const made = new Set<string>();
afterEach(() => {
  for (const folder of made) rmSync(folder, { recursive: true, force: true });
  made.clear();
});

// What differs between root and a plain user is part of each expectation: both have to pass.
test('binaries that their user can reach are used in place, others are copied once; the package is completed with its links', () => {
  const source = packageFolder();
  const folder = prepare(source);
  expect(folder === source).toBe(!isRoot);
  expect(prepare(source)).toBe(folder);
  expect(readlinkSync(join(folder, 'lib/libx.so'))).toBe('libx.so.1');
  expect(readFileSync(join(folder, 'bin/postgres'), 'utf8')).toContain('#!/bin/sh');
  // Everybody may run them, and enter the folder.
  expect(statSync(join(folder, 'bin/postgres')).mode & 0o111).toBe(isRoot ? 0o111 : 0o100);
  expect(readdirSync(dirname(folder)).filter((name) => name.includes('.broken'))).toEqual([]);
});

test('a copy that lost a file is made anew', () => {
  const source = packageFolder();
  const folder = prepare(source);
  for (const path of isRoot ? ['bin/initdb', 'lib/libx.so'] : ['lib/libx.so']) rmSync(join(folder, path));
  expect(prepare(source)).toBe(folder);
  expect(existsSync(join(folder, 'bin/initdb')) && existsSync(join(folder, 'lib/libx.so'))).toBe(true);
});

test("programs in somebody else's folder are never run", () => {
  const source = packageFolder();
  const folder = prepare(source);
  if (isRoot) chownSync(folder, 65_534, 65_534);
  const other = prepare(source);
  expect(other === folder).toBe(!isRoot);
  expect(statSync(other).uid).toBe(process.getuid?.());
});

test('a folder without PostgreSQL is refused', () => {
  expect(() => preparePostgresBinaries('/nonexistent')).toThrow('there is no bin/postgres in /nonexistent');
});

function prepare(source: string): string {
  const folder = preparePostgresBinaries(source);
  if (folder !== source) made.add(folder);
  return folder;
}

/** As npm delivers one, without its symbolic links, below a folder that only its owner can enter. */
function packageFolder(): string {
  const native = join(testFolder('package'), 'native');
  for (const folder of ['bin', 'lib']) mkdirSync(join(native, folder), { recursive: true });
  // The text makes the copy's name, which comes from paths and sizes, this test's own.
  const program = `#!/bin/sh\n${'#'.repeat(1_000 + Math.floor(Math.random() * 1_000_000))}\n`;
  for (const name of ['postgres', 'initdb']) writeFileSync(join(native, 'bin', name), program, { mode: 0o700 });
  writeFileSync(join(native, 'lib/libx.so.1'), 'library');
  writeFileSync(join(native, 'pg-symlinks.json'), JSON.stringify([{ source: 'native/lib/libx.so.1', target: 'native/lib/libx.so' }]));
  return native;
}
