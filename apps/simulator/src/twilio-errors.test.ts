import { expect, test } from 'vitest';
import { refusalBody, refusalOf } from './twilio-errors.ts';

test('an error body has the four members of a captured one', () => {
  expect(JSON.parse(refusalBody(refusalOf(63007)))).toEqual({
    code: 63007,
    message: 'Twilio could not find a Channel with the specified From address',
    more_info: 'https://www.twilio.com/docs/errors/63007',
    status: 400,
  });
});

test.each([
  [20003, 401],
  [20404, 404],
  [20429, 429],
  [20500, 500],
  [20503, 503],
  [21610, 400],
  [30409, 409],
  [21999, 400],
])('code %i is answered with HTTP %i', (code, status) => {
  expect(refusalOf(code).status).toBe(status);
});

test('words of the case replace the general ones', () => {
  expect(refusalOf(20404, 'nothing here').message).toBe('nothing here');
});
