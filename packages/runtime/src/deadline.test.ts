import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DeadlineExceededError, withDeadline } from './deadline.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  if (vi.getTimerCount() > 0) throw new Error('a timer was left behind');
  vi.useRealTimers();
});

test('a promise that settles in time keeps its result', async () => {
  expect(await withDeadline(Promise.resolve('value'), 10)).toBe('value');
  await expect(withDeadline(Promise.reject(new Error('own')), 10)).rejects.toThrow('own');
});

/** What the promise rejects with, noted at once, so that it is never unhandled. */
function errorOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no error',
    (error: unknown) => error,
  );
}

test('a promise that hangs is given up after the deadline, and may still take effect', async () => {
  const error = errorOf(withDeadline(new Promise(() => undefined), 10));
  await vi.advanceTimersByTimeAsync(10);
  expect(await error).toMatchObject({ name: 'DeadlineExceededError', deadlineMs: 10, started: true });
});

test('the caller may name the error', async () => {
  const error = errorOf(withDeadline(new Promise(() => undefined), 10, () => new DeadlineExceededError('redis', 10)));
  await vi.advanceTimersByTimeAsync(10);
  expect(await error).toMatchObject({ message: 'redis took longer than 10 ms' });
});

test('a rejection after the deadline is no unhandled rejection', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', note);
  let fail: (error: Error) => void = () => undefined;
  const error = errorOf(withDeadline(new Promise((_resolve, reject) => (fail = reject)), 10));
  await vi.advanceTimersByTimeAsync(10);
  await error;
  fail(new Error('late'));
  await setImmediate();
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});
