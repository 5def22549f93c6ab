// `npm run mutate`: takes the guards of the core away, one by one, in a private copy, and runs the tests that must notice.
// `-- --faults` adds the tests that kill processes (minutes each); `-- word` takes only the mutations whose name holds the word.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findStaleEdits } from './mutate/find-stale-edits.ts';
import { MUTATIONS, type Mutation } from './mutate/mutations.ts';
import { makePrivateCopy } from './mutate/private-copy.ts';
import { runTests } from './mutate/run-tests.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({ options: { faults: { type: 'boolean', default: false } }, allowPositionals: true });
const chosen = MUTATIONS.filter(({ name }) => positionals.every((word) => name.includes(word)));

/** Fast and slow tests have different configurations, so they run apart. */
const testsOf = ({ noticedBy, noticedByFaults = [] }: Mutation) =>
  [noticedBy, values.faults ? noticedByFaults : []].filter((files) => files.length > 0);

const stale = MUTATIONS.flatMap((mutation) => findStaleEdits(root, mutation));
if (stale.length > 0 || chosen.length === 0) {
  console.error(
    stale.length > 0 ? stale.join('\n') : `no mutation is called like that; there are:\n${MUTATIONS.map(({ name }) => name).join('\n')}`,
  );
  process.exit(1);
}
const copy = makePrivateCopy(root);
process.on('exit', () => copy.remove());
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

await requireGreen();
const survivors: string[] = [];
for (const mutation of chosen) {
  const started = performance.now();
  const { killed, told } = await tryMutation(mutation);
  if (!killed) survivors.push(mutation.name);
  console.log(`${killed ? 'killed  ' : 'SURVIVED'} ${mutation.name} (${((performance.now() - started) / 1000).toFixed(0)} s)`);
  for (const line of told) console.log(`         ${line}`);
}
console.log(`${chosen.length - survivors.length} killed, ${survivors.length} survived`);
process.exit(survivors.length > 0 ? 1 : 0);

/** A test that fails without any mutation notices nothing. */
async function requireGreen(): Promise<void> {
  const fast = [...new Set(chosen.flatMap(({ noticedBy }) => noticedBy))];
  const slow = values.faults ? [...new Set(chosen.flatMap(({ noticedByFaults = [] }) => noticedByFaults))] : [];
  for (const files of [fast, slow].filter((list) => list.length > 0)) {
    const { failedFiles, failures, broken, passed } = await runTests(copy.folder, files);
    if (broken === undefined && failedFiles.length === 0) {
      console.log(`${passed} tests of ${files.length} files pass without a mutation`);
      continue;
    }
    console.error(`these fail without any mutation: ${failedFiles.join(', ')}\n${[...failures, broken ?? ''].join('\n')}`);
    process.exit(1);
  }
}

/** @returns killed: every file that has to notice did; told: what the last one to fail said, or why the mutation survived */
async function tryMutation(mutation: Mutation): Promise<{ killed: boolean; told: string[] }> {
  let told: string[] = [];
  const originals = new Map(mutation.edits.map(({ file }) => [file, readFileSync(join(copy.folder, file), 'utf8')]));
  try {
    for (const { file, search, replace } of mutation.edits) {
      const path = join(copy.folder, file);
      writeFileSync(
        path,
        readFileSync(path, 'utf8').replace(search, () => replace),
      );
    }
    for (const files of testsOf(mutation)) {
      const { failedFiles, failures, broken } = await runTests(copy.folder, files);
      if (broken !== undefined) return { killed: false, told: [`the mutated code could not be tested:\n${broken}`] };
      const blind = files.filter((file) => !failedFiles.includes(file));
      if (blind.length > 0) return { killed: false, told: [`not noticed by ${blind.join(', ')}`] };
      told = failures.slice(0, 1);
    }
    return { killed: true, told };
  } finally {
    for (const [file, text] of originals) writeFileSync(join(copy.folder, file), text);
  }
}
