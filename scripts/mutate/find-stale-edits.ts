import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Mutation } from './mutations.ts';

/** A mutation whose text stands nowhere, or twice, would prove nothing; nor would one whose test is gone. @returns complaints */
export function findStaleEdits(root: string, { name, edits, noticedBy, noticedByFaults = [] }: Mutation): string[] {
  const texts = edits.flatMap(({ file, search }) => {
    const times = readFileSync(join(root, file), 'utf8').split(search).length - 1;
    return times === 1 ? [] : [`"${name}": its text stands ${times} times in ${file}, not once: ${search.trim()}`];
  });
  const tests = [...noticedBy, ...noticedByFaults].filter((file) => !existsSync(join(root, file)));
  return [...texts, ...tests.map((file) => `"${name}": there is no test ${file}`)];
}
