import { expect, test } from 'vitest';
import { isSendQueue, queuePrefix, sendQueueName } from './names.ts';

test('every key of one queue shares the hash tag of its prefix', () => {
  expect(queuePrefix('tickmark', sendQueueName('support'))).toBe('{tickmark:send-support}');
});

test('no sender gets the queue of the outcomes', () => {
  expect(() => sendQueueName('outcome')).toThrow('alias "outcome"');
  expect(isSendQueue('send-outcome')).toBe(false);
  expect(isSendQueue('send-outcomes')).toBe(true);
});
