// `npm run test:faults`: the tests that kill processes or measure for a minute, with reduced counts. `-- --full` takes the full counts; what
// else is given goes to vitest, such as the file to run.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const given = process.argv.slice(2);
const full = given.includes('--full');
const args = ['run', '--config', 'vitest.faults.config.ts', ...given.filter((argument) => argument !== '--full')];

console.log(full ? 'full counts' : 'reduced counts; the full ones: npm run test:faults -- --full');
const { status, signal } = spawnSync(`${root}node_modules/.bin/vitest`, args, {
  cwd: root,
  env: { ...process.env, ...(full ? { TICKMARK_TEST_FULL: '1' } : {}) },
  stdio: 'inherit',
});
if (signal !== null) console.error(`the tests were ended by ${signal}`);
process.exitCode = status ?? 1;
