import { expect, it } from 'vitest';
import { findBreaches } from '../scripts/check-rooms.ts';

const declared = {
  'packages/domain': ['zod'],
  'packages/queues': ['bullmq', '@tickmark/domain'],
  'apps/ingress': ['@tickmark/queues', '@tickmark/http', '@tickmark/worker'],
};

const breaches: [name: string, path: string, text: string, told: RegExp][] = [
  [
    'a package of floor 0 that imports ours',
    'packages/domain/src/a.ts',
    `import { x } from '@tickmark/queues';`,
    /floor 0 imports nothing/,
  ],
  ['a sibling', 'packages/queues/src/a.ts', `import type { X } from '@tickmark/delivery';`, /floor 0 only/],
  ['a file inside a package', 'apps/ingress/src/a.ts', `import { x } from '@tickmark/queues/src/names.ts';`, /not the file/],
  ['another app', 'apps/ingress/src/a.ts', `import { x } from '@tickmark/worker';`, /no package of floor/],
  [
    'another package by a relative path',
    'apps/ingress/src/routes/a.ts',
    `export * from '../../../../packages/queues/src/a.ts';`,
    /leaves apps\/ingress/,
  ],
  ['a library outside its home', 'apps/ingress/src/a.ts', `import { Queue } from 'bullmq';`, /bullmq lives in packages\/queues/],
  ['a library inside its home but undeclared', 'packages/queues/src/a.ts', `import Redis from 'ioredis';`, /not declared/],
  ['the fixtures in production code', 'apps/ingress/src/a.ts', `import { x } from '@tickmark/testing';`, /no package of floor/],
  ['a dynamic import of a library', 'packages/domain/src/a.ts', `const p = await import('pino');`, /pino lives in packages\/runtime/],
];

it.each(breaches)('names the breach: %s', (_name, path, text, told) => {
  expect(findBreaches([{ path, text }], declared).join('\n')).toMatch(told);
});

it('finds nothing in imports that follow the rules', () => {
  const text = `import { z } from 'zod';\nimport { readFileSync } from 'node:fs';\nimport { a } from './a.ts';\n// import { Queue } from 'bullmq';`;
  expect(findBreaches([{ path: 'packages/domain/src/b.ts', text }], declared)).toEqual([]);
  const test = `import { Queue } from 'bullmq';\nimport { testRedis } from '@tickmark/testing';`;
  expect(findBreaches([{ path: 'packages/queues/src/b.test.ts', text: test }], declared)).toEqual([]);
});
