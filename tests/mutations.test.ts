import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { findStaleEdits } from '../scripts/mutate/find-stale-edits.ts';
import { MUTATIONS } from '../scripts/mutate/mutations.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

it.each(MUTATIONS)('$name: can still be made, and its tests are there', (mutation) => {
  expect(findStaleEdits(root, mutation)).toEqual([]);
});

it('a text that is gone or stands twice, and a test that is gone, are complained of', () => {
  const edit = (search: string) => ({ file: 'package.json', search, replace: '' });
  const edits = [edit('"name": "tickmark"'), edit('nowhere to be found'), edit('vitest')];
  const complaints = findStaleEdits(root, { name: 'm', edits, noticedBy: ['package.json', 'gone.test.ts'] });
  expect(complaints).toEqual([
    expect.stringContaining('0 times in package.json, not once: nowhere to be found'),
    expect.stringMatching(/\d+ times in package.json, not once: vitest/),
    '"m": there is no test gone.test.ts',
  ]);
});
