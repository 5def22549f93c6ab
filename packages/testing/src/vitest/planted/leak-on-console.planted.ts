import { expect, test } from 'vitest';
import { randomToken } from '../../index.ts';

test('a line on the console with a token', () => {
  console.log('the token is', { token: randomToken() });
  expect(true).toBe(true);
});
