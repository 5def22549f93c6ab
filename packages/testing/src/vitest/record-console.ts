import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { format } from 'node:util';
import { testFolder } from '../fixtures/test-folder.ts';

const METHODS = ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const;

/** Keeps what code under test writes to the console in the run's folder too, where the search for leaks reads it. */
export function recordConsole(): void {
  let file: string | undefined;
  for (const method of METHODS) {
    const original = console[method].bind(console);
    console[method] = (...args: unknown[]) => {
      // Made at the first line: most files write none.
      file ??= join(testFolder('console'), 'console.log');
      appendFileSync(file, `${format(...args)}\n`);
      original(...args);
    };
  }
}
