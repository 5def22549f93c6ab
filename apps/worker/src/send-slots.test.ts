import { systemClock } from '@tickmark/runtime';
import { waitFor } from '@tickmark/testing';
import { beforeEach, expect, it } from 'vitest';
import { createSendSlots, type ReleaseSlot, type SendSlots } from './send-slots.ts';

let jobsMax: Map<string, number>;
beforeEach(() => {
  jobsMax = new Map();
});

function createSlots(capacity: number, senders: readonly string[]): SendSlots {
  const slots = createSendSlots({ capacity, clock: systemClock, onJobsMax: (alias, count) => void jobsMax.set(alias, count) });
  for (const alias of senders) slots.addSender(alias);
  return slots;
}

/** Takes so many slots, each of which is free. */
async function takeMany(slots: SendSlots, alias: string, count: number): Promise<ReleaseSlot[]> {
  const releases: ReleaseSlot[] = [];
  while (releases.length < count) releases.push((await slots.take(alias))!);
  return releases;
}

/** Lets the sender ask until it has to wait. @returns how many slots it got */
function countFree(slots: SendSlots, alias: string): number {
  const before = slots.taken();
  for (let asked = 1; ; asked += 1) {
    void slots.take(alias);
    if (slots.taken() < before + asked) return asked - 1;
  }
}

/** Takes a slot when one comes free, and notes whose turn it was. */
const line = (slots: SendSlots, alias: string, turns: string[]) =>
  slots.take(alias).then((release) => {
    turns.push(release === null ? `${alias} gave up` : alias);
    return release;
  });

it('one sender takes all slots but the first ones of the others, which find theirs at once', () => {
  const slots = createSlots(10, ['busy', 'calm', 'quiet']);
  expect(countFree(slots, 'busy')).toBe(8);
  expect(countFree(slots, 'calm')).toBe(1);
  expect(countFree(slots, 'quiet')).toBe(1);
  expect(slots.taken()).toBe(10);
});

it('at most half of the slots are kept for others, and never more calls than slots are under way, however many senders there are', () => {
  const many = Array.from({ length: 40 }, (_, index) => `sender-${index}`);
  const slots = createSlots(10, many);
  expect(countFree(slots, 'sender-0')).toBe(5);
  for (const alias of many.slice(1, 6)) expect(countFree(slots, alias)).toBe(1);
  expect(countFree(slots, 'sender-6')).toBe(0);
  expect(slots.taken()).toBe(10);
});

it('what comes free goes to the sender that has fewest, then to the one that has waited longest', async () => {
  const slots = createSlots(6, ['a', 'b', 'c']);
  const ofA = await takeMany(slots, 'a', 4);
  await takeMany(slots, 'b', 1);
  const turns: string[] = [];
  const waiting = [line(slots, 'a', turns), line(slots, 'b', turns), line(slots, 'c', turns), line(slots, 'c', turns)];
  for (const [index, release] of ofA.slice(0, 3).entries()) {
    release();
    await waitFor(() => turns.length === index + 2);
  }
  await Promise.all(waiting);
  // The free one was kept for c. Then a has four, b and c one each, and b waited first.
  expect(turns).toEqual(['c', 'b', 'c', 'a']);
});

it('a job that found no slot within a second is told so, and does not take one later', async () => {
  const slots = createSlots(1, ['a']);
  const release = await slots.take('a');
  const startedMs = performance.now();
  expect(await slots.take('a')).toBeNull();
  expect(performance.now() - startedMs).toBeGreaterThan(900);
  release?.();
  expect(slots.taken()).toBe(0);
});

it('giving a slot back twice gives back one', async () => {
  const slots = createSlots(3, ['a']);
  const [first] = await takeMany(slots, 'a', 3);
  first?.();
  first?.();
  expect(slots.taken()).toBe(2);
});

it('fewer slots hold from the next call on, and more of them are used at once', async () => {
  const slots = createSlots(4, ['a']);
  const releases = await takeMany(slots, 'a', 4);
  slots.setCapacity(2);
  const waiting = slots.take('a');
  releases[0]?.();
  releases[1]?.();
  expect(slots.taken()).toBe(2);
  releases[2]?.();
  expect(await waiting).not.toBeNull();
  const more = [slots.take('a'), slots.take('a')];
  slots.setCapacity(4);
  expect((await Promise.all(more)).every((release) => release !== null)).toBe(true);
});

it('a sender takes as many jobs from its queue as it has and may take slots, and one more when there is none', async () => {
  const slots = createSlots(10, ['busy', 'calm']);
  expect(Object.fromEntries(jobsMax)).toEqual({ busy: 8, calm: 8 });
  const releases = await takeMany(slots, 'busy', 9);
  expect(Object.fromEntries(jobsMax)).toEqual({ busy: 10, calm: 1 });
  expect(slots.jobsMax('busy')).toBe(10);
  for (const release of releases) release();
  expect(Object.fromEntries(jobsMax)).toEqual({ busy: 8, calm: 8 });
});
