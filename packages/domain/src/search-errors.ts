import { describeError, type ErrorDescription } from './describe-error.ts';
import { ERROR_TABLE } from './error-table.ts';

/**
 * The known error codes that hold every word of a text in their code, class, meaning, cause or remedy, by code. Case does not matter; an empty
 * text finds all of them.
 */
export function searchErrors(text: string): ErrorDescription[] {
  const words = text.toLowerCase().split(/\s+/);
  return [...ERROR_TABLE.keys()]
    .toSorted((a, b) => a - b)
    .map((code) => describeError(code))
    .filter((error) => {
      const searched = [error.code, error.class, error.meaning, error.cause, error.remedy].join('\n').toLowerCase();
      return words.every((word) => searched.includes(word));
    });
}
