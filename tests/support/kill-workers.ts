import { setTimeout as pause } from 'node:timers/promises';
import type { SpawnedProcess } from '@tickmark/testing';
import type { SeededRandom } from './counts.ts';
import type { Pipeline } from './pipeline.ts';

/** The lines of the send path at which a message could be lost or sent twice. */
export const SEND_FAILPOINTS = [
  'after-claim',
  'before-post',
  'after-post',
  'before-record',
  'after-record',
  'intake-after-insert',
] as const;

/** One death of a worker: the nth time that it reaches a line, or at some moment. */
export type Kill = { failpoint: (typeof SEND_FAILPOINTS)[number]; nth: number } | { afterMs: number };

export function planKills(random: SeededRandom, counts: { perFailpoint: number; atRandom: number }): Kill[] {
  const repeat = <T>(count: number, make: () => T) => Array.from({ length: count }, make);
  return random.shuffled<Kill>([
    ...SEND_FAILPOINTS.flatMap((failpoint) =>
      repeat(counts.perFailpoint, () => ({
        failpoint,
        nth: failpoint === 'intake-after-insert' ? random.between(1, 4) : random.between(6, 16),
      })),
    ),
    ...repeat(counts.atRandom, () => ({ afterMs: random.between(0, 1_500) })),
  ]);
}

/** A worker that is not reached by enough work gets more of it, this often. */
const FEED_MS = 150;

/**
 * Starts one worker after the other, `side` of them beside each other, and kills each with SIGKILL as planned.
 *
 * @param feed gives the workers something to do; called again and again while a worker waits for its end, `time` counts from 0
 * @returns how often a worker was killed at each line
 */
export async function killWorkers(
  pipeline: Pipeline,
  kills: readonly Kill[],
  { side, feed }: { side: number; feed: (time: number) => Promise<void> },
): Promise<Record<string, number>> {
  const killed: Record<string, number> = {};
  const waiting = [...kills];
  const runSide = async () => {
    for (let kill = waiting.shift(); kill; kill = waiting.shift()) {
      const line = 'failpoint' in kill ? kill.failpoint : 'anywhere';
      const worker = await pipeline.startWorker('failpoint' in kill ? { FAILPOINTS: `${kill.failpoint}:${kill.nth}` } : {});
      await feedUntil(untilItsEnd(worker, kill), feed);
      await worker.kill('SIGKILL');
      killed[line] = (killed[line] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: side }, runSide));
  return killed;
}

async function untilItsEnd(worker: SpawnedProcess, kill: Kill): Promise<void> {
  if ('afterMs' in kill) return pause(kill.afterMs);
  const isStop = (message: unknown) => (message as { failpoint?: string }).failpoint === kill.failpoint;
  await worker.waitForMessage(isStop, { timeoutMs: 180_000 });
}

async function feedUntil(end: Promise<void>, feed: (time: number) => Promise<void>): Promise<void> {
  const ended = new AbortController();
  const ending = end.finally(() => ended.abort());
  // The end may fail while the feeding goes on; it is told below.
  ending.catch(() => undefined);
  for (let time = 0; !ended.signal.aborted; time++) {
    await feed(time);
    await Promise.race([ending, pause(FEED_MS)]);
  }
  await ending;
}
