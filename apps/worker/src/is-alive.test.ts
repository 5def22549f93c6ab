import { expect, it } from 'vitest';
import { isAlive } from './is-alive.ts';

const answers = { ping: () => Promise.resolve(1) };
const away = { ping: () => Promise.reject(new Error('connection refused')) };
const canaryRan = (agoMs: number) => ({ lastRunAgeMs: () => agoMs });

it.each([
  ['a job ran a moment ago', 1_000, answers, true],
  ['no job ran for a minute although Redis answers', 60_000, answers, false],
  ['no job ran for an hour because Redis is away', 3_600_000, away, true],
])('%s → alive: %#', async (_name, ageMs, producers, alive) => {
  expect(await isAlive({ canary: canaryRan(ageMs), producers })).toBe(alive);
});
