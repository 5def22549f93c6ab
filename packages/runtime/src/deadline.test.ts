import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { DeadlineExceededError, withDeadline } from './deadline.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('a promise that settles in time keeps its result', async () => {
  expect(await withDeadline(Promise.resolve('value'), 10)).toBe('value');
  await expect(withDeadline(Promise.reject(new Error('own')), 10)).rejects.toThrow('own');
});

test('a promise that hangs is given up after the deadline, and may still take effect', async () => {
  const waiting = expect(withDeadline(new Promise(() => undefined), 10)).rejects.toMatchObject({
    name: 'DeadlineExceededError',
    deadlineMs: 10,
    started: true,
  });
  await vi.advanceTimersByTimeAsync(10);
  await waiting;
});

test('the caller may name the error', async () => {
  const waiting = expect(withDeadline(new Promise(() => undefined), 10, () => new DeadlineExceededError('redis', 10))).rejects.toThrow(
    'redis took longer than 10 ms',
  );
  await vi.advanceTimersByTimeAsync(10);
  await waiting;
});

test('a rejection after the deadline is no unhandled rejection', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  process.on('unhandledRejection', note);
  let fail: (error: Error) => void = () => undefined;
  const waiting = expect(withDeadline(new Promise((_resolve, reject) => (fail = reject)), 10)).rejects.toThrow(DeadlineExceededError);
  await vi.advanceTimersByTimeAsync(10);
  await waiting;
  fail(new Error('late'));
  await setImmediate();
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});
