import { systemClock } from '@tickmark/runtime';
import { waitFor } from '@tickmark/testing';
import { beforeEach, expect, it } from 'vitest';
import { createSendSlots, type SendSlot, type SendSlots } from './send-slots.ts';

let jobsMax: Map<string, number>;
beforeEach(() => {
  jobsMax = new Map();
});

function createSlots(capacity: number, senders: readonly string[]): SendSlots {
  const slots = createSendSlots({ capacity, clock: systemClock, onJobsMax: (alias, count) => void jobsMax.set(alias, count) });
  for (const alias of senders) slots.setPace(alias, 1_000);
  return slots;
}

/** Takes so many slots, each of which is free. */
async function takeMany(slots: SendSlots, alias: string, count: number): Promise<SendSlot[]> {
  const taken: SendSlot[] = [];
  while (taken.length < count) taken.push((await slots.take(alias))!);
  return taken;
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
  slots.take(alias).then((slot) => {
    turns.push(slot === null ? `${alias} gave up` : alias);
    return slot;
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
  for (const [index, slot] of ofA.slice(0, 3).entries()) {
    slot.release();
    await waitFor(() => turns.length === index + 2);
  }
  await Promise.all(waiting);
  // The free one was kept for c. Then a has four, b and c one each, and b waited first.
  expect(turns).toEqual(['c', 'b', 'c', 'a']);
});

it('a job that found no slot within a second is told so, and does not take one later', async () => {
  const slots = createSlots(1, ['a']);
  const slot = await slots.take('a');
  const startedMs = performance.now();
  expect(await slots.take('a')).toBeNull();
  expect(performance.now() - startedMs).toBeGreaterThan(900);
  slot?.release();
  expect(slots.taken()).toBe(0);
});

it('giving a slot back twice gives back one', async () => {
  const slots = createSlots(3, ['a']);
  const [first] = await takeMany(slots, 'a', 3);
  first?.release();
  first?.release();
  expect(slots.taken()).toBe(2);
});

it('fewer slots hold from the next call on, and more of them are used at once', async () => {
  const slots = createSlots(4, ['a']);
  const taken = await takeMany(slots, 'a', 4);
  slots.setCapacity(2);
  const waiting = slots.take('a');
  taken[0]?.release();
  taken[1]?.release();
  expect(slots.taken()).toBe(2);
  taken[2]?.release();
  expect(await waiting).not.toBeNull();
  const more = [slots.take('a'), slots.take('a')];
  slots.setCapacity(4);
  expect((await Promise.all(more)).every((slot) => slot !== null)).toBe(true);
});

it('a sender takes one job more from its queue than it may have slots', async () => {
  const slots = createSlots(10, ['busy', 'calm']);
  expect(Object.fromEntries(jobsMax)).toEqual({ busy: 9, calm: 9 });
  const taken = await takeMany(slots, 'busy', 9);
  expect(Object.fromEntries(jobsMax)).toEqual({ busy: 10, calm: 1 });
  expect(slots.jobsMax('busy')).toBe(10);
  for (const slot of taken) slot.release();
  expect(Object.fromEntries(jobsMax)).toEqual({ busy: 9, calm: 9 });
});

it('the jobs of a busy sender do not become fewer when calls end together', async () => {
  const slots = createSlots(10, ['busy']);
  const taken = await takeMany(slots, 'busy', 10);
  jobsMax.clear();
  for (const slot of taken.slice(0, 5)) slot.release();
  expect(slots.jobsMax('busy')).toBe(11);
  expect(jobsMax.size).toBe(0);
});

it('a sender takes no more jobs ahead of its calls than its part of the pace needs, however many slots are free', async () => {
  const slots = createSlots(50, ['busy']);
  slots.setPace('busy', 80);
  expect(slots.jobsMax('busy')).toBe(8);
  slots.setProcesses(3);
  expect(slots.jobsMax('busy')).toBe(3);
  const [first, second] = await takeMany(slots, 'busy', 2);
  expect(slots.jobsMax('busy')).toBe(3);
  first?.calling();
  first?.calling();
  second?.calling();
  expect(slots.jobsMax('busy')).toBe(5);
  first?.release();
  expect(slots.jobsMax('busy')).toBe(4);
  slots.setPace('busy', 1);
  expect(slots.jobsMax('busy')).toBe(2);
});
