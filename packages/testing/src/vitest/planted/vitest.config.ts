// A test run inside a test: see ../run.test.ts. Each of its files has one fault that must fail the run.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const inVitestFolder = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));

export default defineConfig({
  ssr: { resolve: { conditions: ['@tickmark/source', 'module', 'node'] } },
  test: {
    root: inVitestFolder('planted'),
    include: ['*.planted.ts'],
    globalSetup: [inVitestFolder('global-setup.ts')],
    setupFiles: [inVitestFolder('setup.ts')],
    pool: 'forks',
    maxWorkers: 1,
  },
});
