import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testFolder } from '../fixtures/test-folder.ts';
import { LockHeldError, takeLock, withLock } from './file-lock.ts';

test('a lock that a living process holds is refused and names it', () => {
  const path = newPath();
  const lock = takeLock(path);
  expect(() => takeLock(path)).toThrow(new LockHeldError(path, process.pid));
  lock.release();
  expect(existsSync(path)).toBe(false);
});

test('the lock of a dead process is taken over', () => {
  const path = newPath();
  writeFileSync(path, `${spawnSync('true').pid} 1`);
  takeLock(path).release();
  expect(existsSync(path)).toBe(false);
});

test('the lock of a dead process whose id is in use again is taken over', () => {
  const path = newPath();
  writeFileSync(path, `${process.pid} 1`);
  takeLock(path).release();
  expect(existsSync(path)).toBe(false);
});

test('a lock that was written only in part is taken over', () => {
  const path = newPath();
  writeFileSync(path, '');
  takeLock(path).release();
  expect(existsSync(path)).toBe(false);
});

test('work under one lock is done one after the other', async () => {
  const path = newPath();
  let [inside, most] = [0, 0];
  const work = async () => {
    most = Math.max(most, (inside += 1));
    await new Promise((resolve) => setImmediate(resolve));
    inside -= 1;
  };
  await Promise.all([1, 2, 3].map(() => withLock(path, work, { timeoutMs: 10_000 })));
  expect(most).toBe(1);
});

test('waiting for a lock ends at its deadline', async () => {
  const path = newPath();
  const lock = takeLock(path);
  await expect(withLock(path, () => Promise.resolve(), { timeoutMs: 200 })).rejects.toThrow(LockHeldError);
  lock.release();
});

function newPath(): string {
  return join(testFolder('lock'), 'lock');
}
