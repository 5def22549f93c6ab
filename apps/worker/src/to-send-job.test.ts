import { expect, it } from 'vitest';
import { toSendJob } from './to-send-job.ts';

it('a row that is due in more than an hour gets no job yet, one that is due sooner a delayed one', () => {
  const now = new Date('2026-01-01T00:00:00Z');
  const row = { id: 'x', sender: 'support', priority: 'bulk' as const, waiting: true };
  expect(toSendJob({ ...row, dueAt: new Date(now.getTime() + 3_600_001) }, now)).toEqual([]);
  expect(toSendJob({ ...row, dueAt: new Date(now.getTime() + 1_000) }, now)).toEqual([
    { id: 'x', sender: 'support', priority: 'bulk', delayMs: 1_000 },
  ]);
  expect(toSendJob({ ...row, dueAt: now }, now)).toEqual([{ id: 'x', sender: 'support', priority: 'bulk' }]);
  expect(toSendJob({ ...row, waiting: false, dueAt: now }, now)).toEqual([]);
});
