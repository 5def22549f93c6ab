import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { DeadlineExceededError } from './deadline.ts';
import { createGroupCommit, ItemTooLargeError, type GroupCommitOptions, type Settled } from './group-commit.ts';
import { createMetrics } from './metrics.ts';

const metrics = createMetrics({ process: 'ingress' });
const ownMetrics = createMetrics({ process: 'worker' });

/** A store whose writes end when the test says so. */
function createManualStore<T>() {
  const flushes: {
    items: T[];
    beganMs: number;
    end(results?: readonly Settled<T>[]): Promise<void>;
    fail(error: unknown): Promise<void>;
  }[] = [];
  const flush = (items: T[]) =>
    new Promise<readonly Settled<T>[]>((resolve, reject) => {
      const settle = (action: () => void) => {
        action();
        return vi.advanceTimersByTimeAsync(0).then(() => undefined);
      };
      flushes.push({
        items,
        beganMs: performance.now(),
        end: (results = items.map((value) => ({ ok: true, value }))) => settle(() => resolve(results)),
        fail: (error) => settle(() => reject(error as Error)),
      });
    });
  return { flushes, flush, batches: () => flushes.map(({ items }) => items) };
}

function createManual<T>(options: Partial<GroupCommitOptions<T, T>> = {}) {
  const store = createManualStore<T>();
  return { ...store, group: createGroupCommit<T, T>({ site: 'test', metrics, flush: store.flush, ...options }) };
}

async function settleAll(promises: Promise<unknown>[]): Promise<unknown[]> {
  return (await Promise.allSettled(promises)).map((result) => (result.status === 'fulfilled' ? result.value : result.reason));
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

describe('when a flush begins', () => {
  test('the first caller is flushed within its own call', async () => {
    const { group, flushes, batches } = createManual<string>({ minIntervalMs: 20, deadlineMs: 1000 });
    const answer = group.commit('a');
    expect(batches()).toEqual([['a']]);
    await flushes[0]!.end();
    expect(await answer).toBe('a');
  });

  test('callers that arrive during a flush go in the next one together, in their order', async () => {
    const { group, flushes, batches } = createManual<string>();
    const answers = ['a', 'b', 'c', 'd'].map((item) => group.commit(item));
    await flushes[0]!.end();
    expect(batches()).toEqual([['a'], ['b', 'c', 'd']]);
    await flushes[1]!.end();
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('a flush begins no sooner than the interval after the last one began', async () => {
    const { group, flushes, batches } = createManual<string>({ minIntervalMs: 20 });
    const answers = [group.commit('a'), group.commit('b')];
    await vi.advanceTimersByTimeAsync(5);
    await flushes[0]!.end();
    answers.push(group.commit('c'));
    await vi.advanceTimersByTimeAsync(14);
    expect(batches()).toEqual([['a']]);
    await vi.advanceTimersByTimeAsync(1);
    expect(batches()).toEqual([['a'], ['b', 'c']]);
    await flushes[1]!.end();
    await Promise.all(answers);
  });

  test('a caller after a quiet moment does not wait for the interval', async () => {
    const { group, flushes, batches } = createManual<string>({ minIntervalMs: 20 });
    const first = group.commit('a');
    await flushes[0]!.end();
    await vi.advanceTimersByTimeAsync(20);
    const second = group.commit('b');
    expect(batches()).toEqual([['a'], ['b']]);
    await flushes[1]!.end();
    await Promise.all([first, second]);
  });

  test('a full batch does not wait for the interval, only for a free slot', async () => {
    const { group, flushes, batches } = createManual<string>({ minIntervalMs: 1000, itemsMax: 2, inFlightMax: 2 });
    const answers = ['a', 'b', 'c', 'd', 'e'].map((item) => group.commit(item));
    expect(batches()).toEqual([['a'], ['b', 'c']]);
    await flushes[0]!.end();
    expect(batches()).toEqual([['a'], ['b', 'c'], ['d', 'e']]);
    await flushes[1]!.end();
    await flushes[2]!.end();
    await Promise.all(answers);
  });

  test('a flush that hangs holds the next back by 20 ms, not for ever, when several may be under way', async () => {
    const { group, flushes, batches } = createManual<string>({ inFlightMax: 2 });
    const answers = [group.commit('a'), group.commit('b')];
    await vi.advanceTimersByTimeAsync(19);
    expect(batches()).toEqual([['a']]);
    await vi.advanceTimersByTimeAsync(1);
    expect(batches()).toEqual([['a'], ['b']]);
    await flushes[1]!.end();
    expect(await answers[1]).toBe('b');
    await flushes[0]!.end();
    await answers[0];
  });

  test('drain flushes at once, and resolves when every caller was answered', async () => {
    const { group, flushes, batches } = createManual<string>({ minIntervalMs: 60_000 });
    const answers = [group.commit('a'), group.commit('b')];
    let drained = false;
    const drain = group.drain().then(() => (drained = true));
    await flushes[0]!.end();
    expect(batches()).toEqual([['a'], ['b']]);
    expect(drained).toBe(false);
    await flushes[1]!.end();
    await drain;
    expect(await Promise.all(answers)).toEqual(['a', 'b']);
    await group.drain();
  });
});

describe('bounds', () => {
  test('a batch holds at most bytesMax bytes', async () => {
    const { group, flushes, batches } = createManual<string>({ bytesMax: 5, sizeOf: (item) => item.length });
    const answers = ['a', 'bbb', 'cc', 'ddd'].map((item) => group.commit(item));
    await flushes[0]!.end();
    await flushes[1]!.end();
    await flushes[2]!.end();
    expect(batches()).toEqual([['a'], ['bbb', 'cc'], ['ddd']]);
    await Promise.all(answers);
  });

  test('an item larger than a batch may be is refused alone', async () => {
    const { group, flushes } = createManual<string>({ bytesMax: 5, sizeOf: (item) => item.length });
    const answers = ['a', 'toolong', 'b'].map((item) => group.commit(item));
    const settled = settleAll(answers);
    await flushes[0]!.end();
    await flushes[1]!.end();
    expect(await settled).toEqual(['a', new ItemTooLargeError(7, 5), 'b']);
  });

  test('the size of every batch is observed under its site', async () => {
    const own = ownMetrics;
    const { group, flushes } = createManual<string>({ metrics: own, site: 'claim' });
    const answers = ['a', 'b', 'c'].map((item) => group.commit(item));
    await flushes[0]!.end();
    await flushes[1]!.end();
    await Promise.all(answers);
    const { values } = await own.groupCommitBatchSize.get();
    expect(values).toContainEqual({ metricName: 'tickmark_group_commit_batch_size_sum', labels: { site: 'claim' }, value: 3 });
  });
});

describe('errors', () => {
  test('an item gets its own error, the others their values', async () => {
    const { group, flushes } = createManual<string>();
    const answers = settleAll(['a', 'b', 'c'].map((item) => group.commit(item)));
    await flushes[0]!.end();
    await flushes[1]!.end([
      { ok: false, error: new Error('bad b') },
      { ok: true, value: 'c' },
    ]);
    expect(await answers).toEqual(['a', new Error('bad b'), 'c']);
  });

  test('an error of the flush goes to every caller of that batch, and the next batch is written', async () => {
    const { group, flushes } = createManual<string>();
    const answers = settleAll(['a', 'b'].map((item) => group.commit(item)));
    await flushes[0]!.fail(new Error('connection lost'));
    await flushes[1]!.end();
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
    const { group, flushes } = createManual<string>();
    const answers = settleAll(['a', 'b', 'c'].map((item) => group.commit(item)));
    await flushes[0]!.end([]);
    await flushes[1]!.end([{ ok: true, value: 'b' }]);
    expect(await answers).toEqual([
      new Error('the flush of test answered 0 results for 1 items'),
      new Error('the flush of test answered 1 results for 2 items'),
      new Error('the flush of test answered 1 results for 2 items'),
    ]);
  });
});

describe('deadlines', () => {
  test('each caller waits for its deadline from its own arrival, even while a flush hangs', async () => {
    const { group, flushes } = createManual<string>({ deadlineMs: 100 });
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
    await flushes[0]!.end();
  });

  test('an item whose caller has gone before its flush began is never written', async () => {
    const { group, flushes, batches } = createManual<string>({ deadlineMs: 100 });
    const answers = [settleAll([group.commit('a'), group.commit('b')])];
    await vi.advanceTimersByTimeAsync(60);
    answers.push(settleAll([group.commit('c')]));
    await vi.advanceTimersByTimeAsync(60);
    await flushes[0]!.end();
    expect(batches()).toEqual([['a'], ['c']]);
    await flushes[1]!.end();
    const [early, late] = await Promise.all(answers);
    expect(early).toEqual([expect.any(DeadlineExceededError), expect.any(DeadlineExceededError)]);
    expect(late).toEqual(['c']);
  });

  test('a late result is dropped', async () => {
    const { group, flushes } = createManual<string>({ deadlineMs: 100 });
    const answers = settleAll([group.commit('a')]);
    await vi.advanceTimersByTimeAsync(100);
    await flushes[0]!.end();
    expect(await answers).toEqual([expect.any(DeadlineExceededError)]);
  });

  test('drain resolves when the deadline has answered the callers of a flush that never ends', async () => {
    const { group } = createManual<string>({ deadlineMs: 100 });
    const answers = settleAll([group.commit('a'), group.commit('b')]);
    const drain = group.drain();
    await vi.advanceTimersByTimeAsync(100);
    await drain;
    await answers;
  });
});

type Step =
  { do: 'commit'; bytes: number } | { do: 'wait'; ms: number } | { do: 'end'; which: number; how: 'ok' | 'mixed' | 'throw' | 'short' };

const steps = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('commit' as const), bytes: fc.integer({ min: 0, max: 12 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40 }) }) },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('end' as const),
        which: fc.nat(5),
        how: fc.constantFrom('ok' as const, 'mixed' as const, 'throw' as const, 'short' as const),
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
});

interface Item {
  index: number;
  bytes: number;
}

/** Plays the steps and notes what happened; ends every flush and drains at the end. */
async function play(
  script: Step[],
  {
    deadlineMs,
    ...bounds
  }: { [K in 'itemsMax' | 'bytesMax' | 'minIntervalMs' | 'inFlightMax']: number } & { deadlineMs: number | undefined },
) {
  const { group, flushes } = createManual<Item>({
    ...bounds,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    sizeOf: (item) => item.bytes,
  });
  const answers: { item: Item; settled: number; waitedMs: number; outcome?: unknown }[] = [];
  const ended = new Set<number>();
  let inFlightWorst = 0;
  const end = async (index: number, how: 'ok' | 'mixed' | 'throw' | 'short') => {
    const flush = flushes[index];
    if (flush === undefined || ended.has(index)) return;
    ended.add(index);
    if (how === 'throw') return flush.fail(new Error('thrown'));
    const results = flush.items.map((value): Settled<Item> =>
      how === 'mixed' && value.index % 2 === 1 ? { ok: false, error: value.index } : { ok: true, value },
    );
    return flush.end(how === 'short' ? results.slice(1) : results);
  };
  for (const step of script) {
    if (step.do === 'wait') await vi.advanceTimersByTimeAsync(step.ms);
    else if (step.do === 'end')
      await end(
        flushes.findIndex((_flush, index) => index >= step.which && !ended.has(index)),
        step.how,
      );
    else {
      const answer: (typeof answers)[number] = { item: { index: answers.length, bytes: step.bytes }, settled: 0, waitedMs: 0 };
      answers.push(answer);
      const startMs = performance.now();
      const note = (outcome: unknown) =>
        Object.assign(answer, { settled: answer.settled + 1, outcome, waitedMs: performance.now() - startMs });
      void group.commit(answer.item).then(note, note);
    }
    inFlightWorst = Math.max(inFlightWorst, flushes.length - ended.size);
  }
  const drained = group.drain();
  for (let index = 0; index < flushes.length; index += 1) {
    inFlightWorst = Math.max(inFlightWorst, flushes.length - ended.size);
    await end(index, 'ok');
  }
  await drained;
  return { answers, flushes, inFlightWorst };
}

test('whatever happens, every caller is answered once, in order, within the bounds', async () => {
  await fc.assert(
    fc.asyncProperty(steps, settings, async (script, bounds) => {
      const { answers, flushes, inFlightWorst } = await play(script, bounds);
      const written = flushes.flatMap(({ items }) => items.map(({ index }) => index));
      expect(written).toEqual([...new Set(written)].toSorted((a, b) => a - b));
      expect(inFlightWorst).toBeLessThanOrEqual(bounds.inFlightMax);
      for (const { items } of flushes) {
        expect(items.length).toBeLessThanOrEqual(bounds.itemsMax);
        expect(items.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(bounds.bytesMax);
      }
      for (const { item, settled, outcome, waitedMs } of answers) {
        expect(settled).toBe(1);
        if (bounds.deadlineMs !== undefined) expect(waitedMs).toBeLessThanOrEqual(bounds.deadlineMs);
        const started = written.includes(item.index);
        if (item.bytes > bounds.bytesMax) expect(outcome).toBeInstanceOf(ItemTooLargeError);
        else if (outcome instanceof DeadlineExceededError) expect(outcome.started).toBe(started);
        else expect(started).toBe(true);
        if (typeof outcome === 'number') expect(outcome).toBe(item.index);
        else if (!(outcome instanceof Error)) expect(outcome).toBe(item);
      }
    }),
    { numRuns: 300 },
  );
});

test('flushes that are not full begin no closer together than the interval', async () => {
  await fc.assert(
    fc.asyncProperty(steps, settings, async (script, bounds) => {
      const { flushes } = await play([...script, { do: 'wait', ms: 1000 }], { ...bounds, itemsMax: 1000, bytesMax: 1_000_000 });
      const began = flushes.map(({ beganMs }) => beganMs);
      // The last ones may be drain's, which does not wait.
      for (const [index, beganMs] of began.slice(1, -bounds.inFlightMax - 1).entries()) {
        expect(beganMs - began[index]!).toBeGreaterThanOrEqual(bounds.minIntervalMs);
      }
    }),
  );
});
