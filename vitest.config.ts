import { defineConfig } from 'vitest/config';

const conditions = ['@tickmark/source', 'module', 'node'];

export default defineConfig({
  ssr: { resolve: { conditions } },
  // The global set-up is loaded in an environment of its own.
  environments: { __vitest__: { resolve: { conditions } } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'tests/**/*.test.ts'],
    exclude: ['**/*.faults.test.ts', '**/node_modules/**', '**/dist/**'],
    globalSetup: ['packages/testing/src/vitest/global-setup.ts'],
    setupFiles: ['packages/testing/src/vitest/setup.ts'],
    pool: 'forks',
    maxWorkers: 3,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 60_000,
    passWithNoTests: false,
  },
});
