// `npm run check`: every check that needs no service. All of them run, so that one run shows all that is wrong.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name) => `${root}node_modules/.bin/${name}`;
const source = [process.execPath, '--conditions=@tickmark/source', '--import', 'tsx'];

const checks = [
  { name: 'types', command: [bin('tsc'), '-p', 'tsconfig.check.json'] },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'format', command: [bin('prettier'), '--check', '--log-level=warn', '.'] },
  { name: 'rooms', command: [...source, 'scripts/check-rooms.ts'] },
  { name: 'dead exports', command: [bin('knip'), '--no-progress'] },
  { name: 'configuration files', command: [...source, 'scripts/generate-config-docs.ts', '--check'] },
];

const failed = [];
for (const { name, command } of checks) {
  const started = performance.now();
  const { status } = spawnSync(command[0], command.slice(1), { cwd: root, stdio: 'inherit' });
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  if (status !== 0) failed.push(name);
}
if (failed.length > 0) {
  console.error(`npm run check failed: ${failed.join(', ')}. Each says above what to mend; npm run format writes the format.`);
  process.exit(1);
}
