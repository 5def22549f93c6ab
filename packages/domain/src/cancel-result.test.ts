import { expect, it } from 'vitest';
import { cancelResultOf } from './cancel-result.ts';
import type { MessageStatus } from './statuses.ts';

it.each<[MessageStatus, string | null, string]>([
  ['canceled', null, 'canceled'],
  ['canceled', 'SM1', 'canceled'],
  ['sending', null, 'already_sent'],
  ['unknown', null, 'already_sent'],
  ['queued', 'SM1', 'already_sent'],
  ['sent', 'SM1', 'already_sent'],
  ['delivered', 'SM1', 'already_sent'],
  ['read', 'SM1', 'already_sent'],
  ['undelivered', 'SM1', 'already_sent'],
  ['failed', 'SM1', 'already_sent'],
  ['failed', null, 'final'],
  ['expired', null, 'final'],
  ['suppressed', null, 'final'],
])('a request to cancel a message that is %s with sid %j is told %s', (status, messageSid, result) => {
  expect(cancelResultOf({ status, messageSid })).toBe(result);
});
