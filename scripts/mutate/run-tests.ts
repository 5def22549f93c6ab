import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface TestRunResult {
  /** Files of which at least one test failed. */
  failedFiles: string[];
  /** The first line of what each failed test says: whether it failed for the reason that was meant. */
  failures: string[];
  passed: number;
  /** Set when the tests could not be judged: a file that does not load, a service that did not start. */
  broken?: string;
}

interface Report {
  numPassedTests: number;
  testResults: { name: string; message?: string; assertionResults: { status: string; title: string; failureMessages?: string[] }[] }[];
}

/** Runs test files of a folder; those that kill processes have a configuration of their own. */
export async function runTests(folder: string, files: readonly string[]): Promise<TestRunResult> {
  const report = join(folder, 'mutate-report.json');
  rmSync(report, { force: true });
  const config = files.every((file) => file.includes('.faults.')) ? 'vitest.faults.config.ts' : 'vitest.config.ts';
  const output = await runVitest(folder, ['run', '--config', config, '--reporter=json', `--outputFile=${report}`, ...files]);
  if (!existsSync(report)) return { failedFiles: [], failures: [], passed: 0, broken: lastLines(output) };
  const { numPassedTests, testResults } = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const hasFailed = ({ assertionResults }: Report['testResults'][number]) => assertionResults.some(({ status }) => status === 'failed');
  const unloaded = testResults.find(({ assertionResults }) => assertionResults.length === 0);
  return {
    failedFiles: testResults.filter(hasFailed).map(({ name }) => relative(folder, name)),
    failures: testResults.flatMap(({ assertionResults }) => assertionResults.filter(({ status }) => status === 'failed').map(tell)),
    passed: numPassedTests,
    ...(unloaded || testResults.length < files.length ? { broken: unloaded?.message ?? lastLines(output) } : {}),
  };
}

function tell({ title, failureMessages: [message = ''] = [] }: Report['testResults'][number]['assertionResults'][number]): string {
  return `"${title}": ${message.split('\n')[0] ?? ''}`;
}

function runVitest(folder: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(folder, 'node_modules/.bin/vitest'), args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('error', reject);
    child.once('close', () => resolve(output));
  });
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-20).join('\n');
}
