import { expect, test } from 'vitest';
import { httpStatusOf, jsonAnswer, refusalAnswer } from './answer.ts';
import { refusalOf } from './twilio-errors.ts';

test('a refusal is answered as JSON with its own status', () => {
  const answer = refusalAnswer(refusalOf(20003));
  expect(answer).toMatchObject({ status: 401, contentType: 'application/json' });
  expect(JSON.parse(answer.body)).toMatchObject({ code: 20003, status: 401 });
});

test('the ledger learns the status of an answer, and none where nothing was answered', () => {
  expect([jsonAnswer(201, {}), 'reset' as const, 'stall' as const].map(httpStatusOf)).toEqual([201, null, null]);
});
