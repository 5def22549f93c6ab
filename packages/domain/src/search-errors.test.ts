import { expect, it } from 'vitest';
import { describeError } from './describe-error.ts';
import { ERROR_TABLE } from './error-table.ts';
import { searchErrors } from './search-errors.ts';

it('an empty text finds every known code, in order', () => {
  const codes = searchErrors(' ').map(({ code }) => code);
  expect(codes).toHaveLength(ERROR_TABLE.size);
  expect(codes).toEqual(codes.toSorted((a, b) => a - b));
});

it.each([
  ['63016', 63016],
  ['6301', 63016],
  ['WINDOW template', 63016],
  ['rate 63018', 63018],
])('"%s" finds %i, with all that is known about it', (text, code) => {
  expect(searchErrors(text)).toContainEqual(describeError(code));
});

it('finds nothing where a word is missing', () => {
  expect(searchErrors('63016 no-such-word')).toEqual([]);
});
