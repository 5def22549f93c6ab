import { relative } from 'node:path';
import type { TestRun } from '../fixtures/test-run.ts';
import { findLeaks } from '../leaks/find-leaks.ts';
import { needlesFor } from '../leaks/needles.ts';
import { repositoryFolder } from '../services/repository.ts';

const LINES_MAX = 40;

/** Searches what the run left for its fixtures' phone numbers, bodies, tokens and keys. A finding is printed, without the secret, and fails the run. */
export async function reportLeaks(run: TestRun): Promise<void> {
  // A search that is cut short, by an error or by vitest's deadline for tear-downs, has not found the run clean.
  const before = process.exitCode;
  process.exitCode = 1;
  const findings = await findLeaks({ needles: needlesFor(run.marks), files: [run.folder], redisUrl: run.redisUrl });
  if (findings.length === 0) {
    process.exitCode = before;
    return;
  }
  const lines = findings
    .slice(0, LINES_MAX)
    .map(({ what, where }) => `  ${what} in ${where.replace(run.folder, relative(repositoryFolder, run.folder))}`);
  const more = findings.length > LINES_MAX ? [`  and ${findings.length - LINES_MAX} more`] : [];
  console.error(['', `LEAKED: ${findings.length} places hold what no log and no store may keep:`, ...lines, ...more, ''].join('\n'));
}
