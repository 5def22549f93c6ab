import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DeadlineExceededError } from './deadline.ts';
import { createGroupCommit, ItemTooLargeError, type GroupCommit, type GroupCommitOptions, type Settled } from './group-commit.ts';
import { createMetrics } from './metrics.ts';

const metrics = createMetrics({ process: 'ingress' });
const ownMetrics = createMetrics({ process: 'worker' });

/** A group commit over a store whose writes end when the test says so. */
function createManual<T>(options: Partial<GroupCommitOptions<T, T>> = {}) {
  const flushes: { items: T[]; beganMs: number; resolve: (results: readonly Settled<T>[]) => void; reject: (error: unknown) => void }[] =
    [];
  const flush = (items: T[]) =>
    new Promise<readonly Settled<T>[]>((resolve, reject) => {
      flushes.push({ items, beganMs: performance.now(), resolve, reject });
    });
  return {
    group: createGroupCommit<T, T>({ site: 'test', metrics, flush, ...options }),
    flushes,
    batches: () => flushes.map(({ items }) => items),
    end: async (index: number, results?: readonly Settled<T>[]) => {
      flushes.at(index)?.resolve(results ?? flushes.at(index)?.items.map((value) => ({ ok: true, value })) ?? []);
      await vi.advanceTimersByTimeAsync(0);
    },
    fail: async (index: number, error: unknown) => {
      flushes.at(index)?.reject(error);
      await vi.advanceTimersByTimeAsync(0);
    },
  };
}

async function settleAll(promises: Promise<unknown>[]): Promise<unknown[]> {
  return (await Promise.allSettled(promises)).map((result) => (result.status === 'fulfilled' ? result.value : result.reason));
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  if (vi.getTimerCount() > 0) throw new Error('a timer was left behind');
  vi.useRealTimers();
});

describe('when a flush begins', () => {
  test('the first caller is flushed within its own call', async () => {
    const { group, end, batches } = createManual<string>({ minIntervalMs: 20, deadlineMs: 1000 });
    const answer = group.commit('a');
    expect(batches()).toEqual([['a']]);
    await end(0);
    expect(await answer).toBe('a');
  });

  test('callers of one turn of the event loop go together when that is wanted, and are not kept waiting for more', async () => {
    const { group, end, batches } = createManual<string>({ minIntervalMs: 20, collectTurn: true });
    const answers = [group.commit('a'), Promise.resolve().then(() => group.commit('b'))];
    expect(batches()).toEqual([]);
    await vi.advanceTimersByTimeAsync(0);
    expect(batches()).toEqual([['a', 'b']]);
    await end(0);
    expect(await Promise.all(answers)).toEqual(['a', 'b']);
    const drained = [group.commit('c'), group.drain()];
    expect(batches()).toEqual([['a', 'b'], ['c']]);
    await end(1);
    await Promise.all(drained);
  });

  test('callers that arrive during a flush go in the next one together, in their order', async () => {
    const { group, end, batches } = createManual<string>();
    const answers = ['a', 'b', 'c', 'd'].map((item) => group.commit(item));
    await end(0);
    expect(batches()).toEqual([['a'], ['b', 'c', 'd']]);
    await end(1);
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a flush begins no sooner than the interval after the last one began', async () => {
    const { group, end, batches } = createManual<string>({ minIntervalMs: 20 });
    const answers = [group.commit('a'), group.commit('b')];
    await vi.advanceTimersByTimeAsync(5);
    await end(0);
    answers.push(group.commit('c'));
    await vi.advanceTimersByTimeAsync(14);
    expect(batches()).toEqual([['a']]);
    await vi.advanceTimersByTimeAsync(1);
    expect(batches()).toEqual([['a'], ['b', 'c']]);
    await end(1);
    await Promise.all(answers);
  });

  test('a caller after a quiet moment does not wait for the interval', async () => {
    const { group, end, batches } = createManual<string>({ minIntervalMs: 20 });
    const first = group.commit('a');
    await end(0);
    await vi.advanceTimersByTimeAsync(20);
    const second = group.commit('b');
    expect(batches()).toEqual([['a'], ['b']]);
    await end(1);
    await Promise.all([first, second]);
  });

  test('a few flushes may come before their time after a quiet moment; from then on the interval holds', async () => {
    const { group, end, batches } = createManual<string>({ minIntervalMs: 20, burst: 2 });
    const answers: Promise<string>[] = [];
    const commit = async (item: string, index: number) => {
      answers.push(group.commit(item));
      if (batches().length > index) await end(index);
    };
    for (const [index, item] of ['a', 'b', 'c'].entries()) await commit(item, index);
    expect(batches()).toEqual([['a'], ['b'], ['c']]);
    await commit('d', 3);
    await vi.advanceTimersByTimeAsync(19);
    expect(batches()).toHaveLength(3);
    await vi.advanceTimersByTimeAsync(1);
    await end(3);
    await commit('e', 4);
    expect(batches()).toHaveLength(4);
    await vi.advanceTimersByTimeAsync(20);
    await end(4);
    await vi.advanceTimersByTimeAsync(60);
    for (const [index, item] of ['f', 'g', 'h'].entries()) await commit(item, index + 5);
    expect(batches()).toHaveLength(8);
    await Promise.all(answers);
  });

  test('a full batch does not wait for the interval, only for a free slot', async () => {
    const { group, end, batches } = createManual<string>({ minIntervalMs: 1000, itemsMax: 2, inFlightMax: 2 });
    const answers = ['a', 'b', 'c', 'd', 'e'].map((item) => group.commit(item));
    expect(batches()).toEqual([['a'], ['b', 'c']]);
    await end(0);
    expect(batches()).toEqual([['a'], ['b', 'c'], ['d', 'e']]);
    await end(1);
    await end(2);
    await Promise.all(answers);
  });

  test('a flush that hangs holds the next back by 20 ms, not for ever, when several may be under way', async () => {
    const { group, end, batches } = createManual<string>({ inFlightMax: 2 });
    const answers = [group.commit('a'), group.commit('b')];
    await vi.advanceTimersByTimeAsync(19);
    expect(batches()).toEqual([['a']]);
    await vi.advanceTimersByTimeAsync(1);
    expect(batches()).toEqual([['a'], ['b']]);
    await end(1);
    expect(await answers[1]).toBe('b');
    await end(0);
    await answers[0];
  });

  test('drain flushes at once, and resolves when every caller was answered', async () => {
    const { group, end, batches } = createManual<string>({ minIntervalMs: 60_000 });
    const answers = [group.commit('a'), group.commit('b')];
    let drained = false;
    const drain = group.drain().then(() => (drained = true));
    await end(0);
    expect(batches()).toEqual([['a'], ['b']]);
    expect(drained).toBe(false);
    await end(1);
    await drain;
    expect(await Promise.all(answers)).toEqual(['a', 'b']);
    await group.drain();
  });
});

describe('bounds', () => {
  test('a batch holds at most bytesMax bytes', async () => {
    const { group, end, batches } = createManual<string>({ bytesMax: 5, sizeOf: (item) => item.length });
    const answers = ['a', 'bbb', 'cc', 'ddd'].map((item) => group.commit(item));
    await end(0);
    await end(1);
    await end(2);
    expect(batches()).toEqual([['a'], ['bbb', 'cc'], ['ddd']]);
    await Promise.all(answers);
  });

  test('an item larger than a batch may be is refused alone', async () => {
    const { group, end } = createManual<string>({ bytesMax: 5, sizeOf: (item) => item.length });
    const answers = ['a', 'toolong', 'b'].map((item) => group.commit(item));
    const settled = settleAll(answers);
    await end(0);
    await end(1);
    expect(await settled).toEqual(['a', new ItemTooLargeError(7, 5), 'b']);
  });

  test('the size of every batch is observed under its site', async () => {
    const own = ownMetrics;
    const { group, end } = createManual<string>({ metrics: own, site: 'claim' });
    const answers = ['a', 'b', 'c'].map((item) => group.commit(item));
    await end(0);
    await end(1);
    await Promise.all(answers);
    const { values } = await own.groupCommitBatchSize.get();
    expect(values).toContainEqual({ metricName: 'tickmark_group_commit_batch_size_sum', labels: { site: 'claim' }, value: 3 });
  });
});

describe('errors', () => {
  test('an item gets its own error, the others their values', async () => {
    const { group, end } = createManual<string>();
    const answers = settleAll(['a', 'b', 'c'].map((item) => group.commit(item)));
    await end(0);
    await end(1, [
      { ok: false, error: new Error('bad b') },
      { ok: true, value: 'c' },
    ]);
    expect(await answers).toEqual(['a', new Error('bad b'), 'c']);
  });

  test('an error of the flush goes to every caller of that batch, and the next batch is written', async () => {
    const { group, end, fail } = createManual<string>();
    const answers = settleAll(['a', 'b'].map((item) => group.commit(item)));
    await fail(0, new Error('connection lost'));
    await end(1);
    expect(await answers).toEqual([new Error('connection lost'), 'b']);
  });

  test('a flush that throws before it waits rejects its callers and blocks nobody', async () => {
    const group = createGroupCommit<string, string>({
      site: 'test',
      metrics,
      flush: () => {
        throw new Error('thrown');
      },
    });
    expect(await settleAll([group.commit('a'), group.commit('b')])).toEqual([new Error('thrown'), new Error('thrown')]);
  });

  test('too few or too many results are an error for every caller, never a guess', async () => {
    const { group, end } = createManual<string>();
    const answers = settleAll(['a', 'b', 'c'].map((item) => group.commit(item)));
    await end(0, []);
    await end(1, [{ ok: true, value: 'b' }]);
    expect(await answers).toEqual([
      new Error('the flush of test answered 0 results for 1 items'),
      new Error('the flush of test answered 1 results for 2 items'),
      new Error('the flush of test answered 1 results for 2 items'),
    ]);
  });
});

describe('deadlines', () => {
  test('each caller waits for its deadline from its own arrival, even while a flush hangs', async () => {
    const { group, end } = createManual<string>({ deadlineMs: 100 });
    const times: number[] = [];
    const commit = (item: string) => group.commit(item).catch((error: unknown) => (times.push(performance.now()), error));
    const startMs = performance.now();
    const first = commit('a');
    await vi.advanceTimersByTimeAsync(30);
    const second = commit('b');
    await vi.advanceTimersByTimeAsync(100);
    expect(times.map((time) => time - startMs)).toEqual([100, 130]);
    expect(await first).toMatchObject({ name: 'DeadlineExceededError', started: true, deadlineMs: 100 });
    expect(await second).toMatchObject({ name: 'DeadlineExceededError', started: false });
    await end(0);
  });

  test('an item whose caller has gone before its flush began is never written', async () => {
    const { group, end, batches } = createManual<string>({ deadlineMs: 100 });
    const answers = [settleAll([group.commit('a'), group.commit('b')])];
    await vi.advanceTimersByTimeAsync(60);
    answers.push(settleAll([group.commit('c')]));
    await vi.advanceTimersByTimeAsync(60);
    await end(0);
    expect(batches()).toEqual([['a'], ['c']]);
    await end(1);
    const [early, late] = await Promise.all(answers);
    expect(early).toEqual([expect.any(DeadlineExceededError), expect.any(DeadlineExceededError)]);
    expect(late).toEqual(['c']);
  });

  test('a late result is dropped, and drain still waits for the callers behind it', async () => {
    const { group, end, batches } = createManual<string>({ deadlineMs: 100, itemsMax: 1 });
    const early = settleAll([group.commit('a')]);
    await vi.advanceTimersByTimeAsync(50);
    const late = settleAll([group.commit('b'), group.commit('c')]);
    await vi.advanceTimersByTimeAsync(50);
    expect(await early).toEqual([expect.any(DeadlineExceededError)]);
    await end(0);
    let drained = false;
    const drain = group.drain().then(() => (drained = true));
    await end(1);
    expect({ drained, batches: batches() }).toEqual({ drained: false, batches: [['a'], ['b'], ['c']] });
    await end(2);
    await drain;
    expect(await late).toEqual(['b', 'c']);
  });

  test('the bytes of an item whose caller has gone fill no batch', async () => {
    const { group, end, batches } = createManual<string>({
      deadlineMs: 100,
      minIntervalMs: 150,
      bytesMax: 5,
      sizeOf: (item) => item.length,
    });
    const gone = settleAll([group.commit('a'), group.commit('bbbb')]);
    await vi.advanceTimersByTimeAsync(100);
    await end(0);
    const answer = group.commit('cc');
    expect(batches()).toEqual([['a']]);
    await vi.advanceTimersByTimeAsync(50);
    await end(1);
    expect([await answer, await gone]).toEqual(['cc', [expect.any(DeadlineExceededError), expect.any(DeadlineExceededError)]]);
  });

  test('drain resolves when the deadline has answered the callers of a flush that never ends', async () => {
    const { group } = createManual<string>({ deadlineMs: 100 });
    const answers = settleAll([group.commit('a'), group.commit('b')]);
    const drain = group.drain();
    await vi.advanceTimersByTimeAsync(100);
    await drain;
    expect(await answers).toEqual([expect.any(DeadlineExceededError), expect.any(DeadlineExceededError)]);
  });
});

type How = 'ok' | 'mixed' | 'throw' | 'short';
type Step = { do: 'commit'; bytes: number } | { do: 'wait'; ms: number } | { do: 'end'; which: number; how: How };

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('commit' as const), bytes: fc.integer({ min: 0, max: 12 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40 }) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('end' as const),
        which: fc.nat(5),
        how: fc.constantFrom<How>('ok', 'mixed', 'throw', 'short'),
      }),
    },
  ),
  { maxLength: 120 },
);

const settings = fc.record({
  itemsMax: fc.integer({ min: 1, max: 6 }),
  bytesMax: fc.integer({ min: 5, max: 30 }),
  minIntervalMs: fc.constantFrom(0, 7, 20),
  inFlightMax: fc.integer({ min: 1, max: 3 }),
  deadlineMs: fc.constantFrom(undefined, 50),
  collectTurn: fc.boolean(),
});

interface Item {
  index: number;
  bytes: number;
}

type Bounds = typeof settings extends fc.Arbitrary<infer B> ? B : never;

interface Answer {
  item: Item;
  /** How often the caller was answered. */
  settled: number;
  waitedMs: number;
  outcome?: unknown;
}

/** Plays the steps and notes what happened; in the end it drains and lets every flush end well. */
async function play(script: Step[], { deadlineMs, ...bounds }: Bounds) {
  const deadline = deadlineMs === undefined ? {} : { deadlineMs };
  const { group, flushes, end, fail } = createManual<Item>({ ...bounds, ...deadline, sizeOf: (item) => item.bytes });
  const answers: Answer[] = [];
  const ended = new Set<number>();
  let inFlightWorst = 0;
  const endFlush = async (index: number, how: How) => {
    inFlightWorst = Math.max(inFlightWorst, flushes.length - ended.size);
    const items = flushes.at(index)?.items;
    if (index < 0 || items === undefined || ended.has(index)) return;
    ended.add(index);
    const results = items.map((value): Settled<Item> =>
      how === 'mixed' && value.index % 2 === 1 ? { ok: false, error: value.index } : { ok: true, value },
    );
    if (how === 'throw') await fail(index, new Error('thrown'));
    else await end(index, how === 'short' ? results.slice(1) : results);
  };
  for (const step of script) {
    if (step.do === 'wait') await vi.advanceTimersByTimeAsync(step.ms);
    else if (step.do === 'end')
      await endFlush(
        flushes.findIndex((_flush, index) => index >= step.which && !ended.has(index)),
        step.how,
      );
    else answers.push(commitAndNote(group, { index: answers.length, bytes: step.bytes }));
  }
  const drained = group.drain();
  for (let index = 0; index < flushes.length; index += 1) await endFlush(index, 'ok');
  await drained;
  return { answers, flushes, inFlightWorst };
}

function commitAndNote(group: GroupCommit<Item, Item>, item: Item): Answer {
  const answer: Answer = { item, settled: 0, waitedMs: 0 };
  const startMs = performance.now();
  const note = (outcome: unknown) => Object.assign(answer, { settled: answer.settled + 1, outcome, waitedMs: performance.now() - startMs });
  void group.commit(item).then(note, note);
  return answer;
}

/** Whether the caller was told the truth about its own item. */
function isTrue({ item, outcome }: Answer, bounds: Bounds, written: boolean): boolean {
  if (item.bytes > bounds.bytesMax) return outcome instanceof ItemTooLargeError && !written;
  if (outcome instanceof DeadlineExceededError) return outcome.started === written;
  return written && (outcome === item || outcome === item.index || outcome instanceof Error);
}

test('whatever happens, every caller is answered once, in order, within the bounds', async () => {
  await fc.assert(
    fc.asyncProperty(steps, settings, async (script, bounds) => {
      const { answers, flushes, inFlightWorst } = await play(script, bounds);
      const written = flushes.flatMap(({ items }) => items.map(({ index }) => index));
      expect(written).toEqual([...new Set(written)].toSorted((a, b) => a - b));
      expect(inFlightWorst).toBeLessThanOrEqual(bounds.inFlightMax);
      expect(Math.max(0, ...flushes.map(({ items }) => items.length))).toBeLessThanOrEqual(bounds.itemsMax);
      expect(Math.max(0, ...flushes.map(({ items }) => sum(items.map(({ bytes }) => bytes))))).toBeLessThanOrEqual(bounds.bytesMax);
      expect(Math.max(0, ...answers.map(({ waitedMs }) => waitedMs))).toBeLessThanOrEqual(bounds.deadlineMs ?? Infinity);
      expect(answers.filter(({ settled }) => settled !== 1)).toEqual([]);
      expect(answers.filter((answer) => !isTrue(answer, bounds, written.includes(answer.item.index)))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test('flushes that are not full begin no closer together than the interval', async () => {
  await fc.assert(
    fc.asyncProperty(steps, settings, async (script, bounds) => {
      const { flushes } = await play(script, { ...bounds, itemsMax: 1000, bytesMax: 1_000_000 });
      const began = flushes.map(({ beganMs }) => beganMs);
      const gaps = began.slice(1).map((beganMs, index) => beganMs - (began[index] ?? 0));
      // The last ones may be those of drain, which does not wait: one for every flush that was under way, and one more.
      expect(gaps.slice(0, -bounds.inFlightMax - 1).filter((gapMs) => gapMs < bounds.minIntervalMs)).toEqual([]);
    }),
  );
});

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
