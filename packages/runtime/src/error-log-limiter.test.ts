import { expect, test } from 'vitest';
import type { Clock } from './clock.ts';
import { createErrorLogLimiter } from './error-log-limiter.ts';
import { createLogger } from './logger.ts';

function createLimiter() {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({
    process: 'test',
    destination: { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) },
  });
  let nowMs = 0;
  const clock: Clock = { now: () => new Date(nowMs), monotonicMs: () => nowMs };
  return { limiter: createErrorLogLimiter({ log, clock }), lines, advance: (ms: number) => (nowMs += ms) };
}

test('a storm of one error is one line per 10 seconds, with the number that was left out', () => {
  const { limiter, lines, advance } = createLimiter();
  for (let index = 0; index < 5000; index += 1) {
    limiter.error('intake', new Error('OOM command not allowed'), 'queue worker error');
    advance(3);
  }
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatchObject({ level: 'error', key: 'intake', suppressed: 0, err: { message: 'OOM command not allowed' } });
  expect(lines[1]).toMatchObject({ suppressed: 3333 });
});

test('another key is not held back', () => {
  const { limiter, lines } = createLimiter();
  for (const key of ['intake', 'inbound', 'intake']) limiter.error(key, new Error('x'), 'queue worker error');
  expect(lines.map(({ key }) => key)).toEqual(['intake', 'inbound']);
});

test('keys without end do not fill the memory', () => {
  const { limiter, lines } = createLimiter();
  for (let index = 0; index < 3000; index += 1) limiter.error(`key ${index}`, new Error('x'), 'queue worker error');
  expect(lines).toHaveLength(3000);
  limiter.error('key 2999', new Error('x'), 'queue worker error');
  limiter.error('key 0', new Error('x'), 'queue worker error');
  expect(lines).toHaveLength(3001);
});
