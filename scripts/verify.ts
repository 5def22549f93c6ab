// `npm run verify`: every stage, each with its time, then one line with the sum: `N passed, N failed`.
// `-- --twilio-openapi <folder>` adds the check against Twilio's OpenAPI documents, which this repository does not hold.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findProcessesOfRun, RUN_VARIABLE } from './processes-of-run.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values } = parseArgs({ options: { 'twilio-openapi': { type: 'string' } } });
const reports = `${root}.cache/verify`;

/** Marks every process of this run through its environment, to find what was left behind. */
const runId = randomUUID();
const env: NodeJS.ProcessEnv = { ...process.env, [RUN_VARIABLE]: runId };
// The embedded services are part of what is verified.
delete env['DATABASE_URL'];
delete env['REDIS_URL'];

interface Stage {
  name: string;
  command: [string, ...string[]];
  extraEnv?: NodeJS.ProcessEnv;
  /** A JSON report of vitest, which counts its tests. */
  report?: string;
  after?: () => void;
}

interface StageResult {
  name: string;
  seconds: number;
  passed: number;
  failed: number;
}

const bin = (name: string) => `${root}node_modules/.bin/${name}`;
const source = ['--conditions=@tickmark/source', '--import', 'tsx'];
const tests = (name: string, args: string[] = [], extraEnv: NodeJS.ProcessEnv = {}): Stage => ({
  name,
  command: [bin('vitest'), 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${reports}/${slug(name)}.json`, ...args],
  extraEnv,
  report: `${reports}/${slug(name)}.json`,
});

const stages: Stage[] = [
  { name: 'check', command: [process.execPath, 'scripts/check.mjs'] },
  { name: 'build', command: [bin('tsc'), '-b'], after: removeBuild },
  tests('tests'),
  tests('tests with process kills', ['--config', 'vitest.faults.config.ts'], { TICKMARK_TEST_FULL: '1' }),
  tests('delivery and queues on PostgreSQL 15', ['packages/delivery', 'packages/queues'], { TICKMARK_TEST_POSTGRES: '15' }),
  { name: 'start --once', command: [process.execPath, ...source, 'scripts/start.ts', '--once'] },
];
if (values['twilio-openapi']) {
  stages.push({
    name: "Twilio's OpenAPI documents",
    command: [process.execPath, ...source, 'scripts/check-twilio-openapi.ts', values['twilio-openapi']],
  });
}

rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
const results: StageResult[] = stages.map(runStage);
results.push(checkNothingLeftBehind());

const failures = stages.flatMap(({ report }) => (report ? failedTests(report) : []));
if (failures.length > 0) console.log(`\nFailed tests, each with the first lines of its reason\n${failures.join('\n')}`);
console.log('\nstage                                      seconds   passed   failed');
for (const { name, seconds, passed, failed } of results) {
  console.log(`${name.padEnd(42)} ${seconds.toFixed(1).padStart(7)} ${String(passed).padStart(8)} ${String(failed).padStart(8)}`);
}
const sum = (field: 'passed' | 'failed') => results.reduce((total, result) => total + result[field], 0);
console.log(`\n${sum('passed')} passed, ${sum('failed')} failed`);
process.exitCode = sum('failed') > 0 ? 1 : 0;

function runStage({ name, command, extraEnv, report, after }: Stage): StageResult {
  console.log(`\n=== ${name}`);
  const started = performance.now();
  const { status } = spawnSync(command[0], command.slice(1), {
    cwd: root,
    env: { ...env, ...extraEnv },
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  after?.();
  return { name, seconds: (performance.now() - started) / 1000, ...count(status, report) };
}

/** A stage without a report counts as one; a skipped test counts as failed, and so does a run in which no test ran. */
function count(status: number | null, report: string | undefined): { passed: number; failed: number } {
  if (!report) return status === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
  if (!existsSync(report)) return { passed: 0, failed: 1 };
  const { numPassedTests: passed, numTotalTests: total } = JSON.parse(readFileSync(report, 'utf8')) as {
    numPassedTests: number;
    numTotalTests: number;
  };
  const failed = total - passed;
  return { passed, failed: failed === 0 && (status !== 0 || total === 0) ? 1 : failed };
}

/** Named again at the end, because a long log is read from there. */
function failedTests(report: string): string[] {
  if (!existsSync(report)) return [`${report} was not written: its run ended before its tests did`];
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
    testResults: {
      name: string;
      status: string;
      message: string;
      assertionResults: { fullName: string; status: string; failureMessages?: string[] }[];
    }[];
  };
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(root, name);
    const failed = assertionResults.filter((test) => test.status !== 'passed');
    if (failed.length === 0) return status === 'passed' ? [] : [`${file}\n${firstLines(message)}`];
    return failed.map((test) => `${file} > ${test.fullName} (${test.status})\n${firstLines(test.failureMessages?.join('\n') ?? '')}`);
  });
}

function firstLines(text: string): string {
  return text
    .split('\n')
    .slice(0, 8)
    .map((line) => `    ${line.slice(0, 200)}`)
    .join('\n');
}

function checkNothingLeftBehind(): StageResult {
  const started = performance.now();
  const left = findProcessesOfRun(runId);
  for (const { pid, command } of left) console.error(`left behind: process ${pid} ${command}`);
  return {
    name: 'no process left behind',
    seconds: (performance.now() - started) / 1000,
    passed: left.length === 0 ? 1 : 0,
    failed: left.length,
  };
}

/** A build that stays would be preferred to the sources by the tickmark command, and grow stale. */
function removeBuild(): void {
  for (const folder of ['packages', 'apps'].flatMap((side) => readdirSync(root + side).map((name) => `${root}${side}/${name}`))) {
    rmSync(`${folder}/dist`, { recursive: true, force: true });
    rmSync(`${folder}/tsconfig.tsbuildinfo`, { force: true });
  }
}

function slug(name: string): string {
  return name.toLowerCase().replaceAll(/\W+/g, '-');
}
