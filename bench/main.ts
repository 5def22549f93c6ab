// `npm run bench`: what Tickmark costs beside other ways of doing the same, measured side by side on this machine. Options: `-- --quick`
// (a smoke test), `-- --rows <group>,…`, `-- --rounds <n>`, `-- --messages <n>`, `-- --data <folder>`, `-- --json`. Fails when anything is incorrect, never because something is slow.
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { watchAncestors } from '../scripts/start/watch-ancestors.ts';
import type { GroupContext, RunGroup } from './harness/groups.ts';
import { readOptions, type BenchOptions } from './harness/options.ts';
import { printReport, type BenchReport, type GroupReport } from './harness/report.ts';
import { startBenchServices } from './harness/services.ts';
import { runCallbacks } from './rows/callbacks/run-callbacks.ts';
import { runScale } from './rows/scale/run-scale.ts';

const GROUPS: Record<string, RunGroup> = { callbacks: runCallbacks, scale: runScale };

const startedMs = performance.now();
const say = (text: string) => console.error(`· ${((performance.now() - startedMs) / 1000).toFixed(0).padStart(4)} s  ${text}`);
const cleanups: GroupContext['cleanups'] = [];
const stopped = new Promise<string>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
  watchAncestors(() => resolve('the process that started this one is gone'));
});

let exitCode = 1;
try {
  const options = readOptions(process.argv.slice(2), Object.keys(GROUPS));
  const outcome = await Promise.race([runGroups(options), stopped]);
  if (typeof outcome === 'string') say(`stopped (${outcome})`);
  else {
    if (options.json) console.log(JSON.stringify(outcome, null, 2));
    else printReport(outcome, (line) => console.log(line));
    exitCode = outcome.correct ? 0 : 1;
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
} finally {
  for (const cleanup of cleanups.toReversed()) {
    await cleanup().catch((error: unknown) => console.error('stopping failed:', error instanceof Error ? error.message : error));
  }
}
process.exit(exitCode);

async function runGroups({ effort, quick, groups: names, dataDir }: BenchOptions): Promise<BenchReport> {
  const folder = mkdtempSync(join(tmpdir(), 'tickmark-bench-'));
  cleanups.push(async () => rmSync(folder, { recursive: true, force: true }));
  const services = await startBenchServices(say, dataDir ?? undefined);
  cleanups.push(() => services.stop());
  const groups: GroupReport[] = [];
  for (const name of names) {
    const run = GROUPS[name];
    if (run) groups.push(await run({ effort, services, folder, say, cleanups }));
  }
  const [cpu] = cpus();
  const machine = { cores: cpus().length, cpu: cpu?.model ?? 'unknown', node: process.version, ...services.settings };
  return { quick, rounds: effort.rounds, machine, groups, correct: groups.every(({ correct }) => correct) };
}
