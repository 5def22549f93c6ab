import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CLAIMABLE_STATUSES, MESSAGE_STATUSES, projectTwilioStatus, rankOf, type MessageStatus } from './statuses.ts';

describe('the states of a message', () => {
  it.each<[MessageStatus, number, boolean]>([
    ['accepted', 0, false],
    ['scheduled', 0, false],
    ['retrying', 0, false],
    ['sending', 0, false],
    ['unknown', 0, false],
    ['held', 0, false],
    ['queued', 20, false],
    ['sent', 40, false],
    ['canceled', 50, true],
    ['expired', 50, true],
    ['suppressed', 50, true],
    ['failed', 50, true],
    ['undelivered', 50, true],
    ['delivered', 60, true],
    ['read', 70, true],
  ])('%s has rank %i and final %s', (status, rank, final) => {
    expect(rankOf(status)).toBe(rank);
    expect(MESSAGE_STATUSES[status].final).toBe(final);
  });

  it('are fifteen, so that none is missing from the table above', () => {
    expect(Object.keys(MESSAGE_STATUSES)).toHaveLength(15);
  });

  it('are claimable only while nothing of them may exist at Twilio', () => {
    expect(CLAIMABLE_STATUSES.toSorted()).toEqual(['accepted', 'retrying', 'scheduled']);
  });
});

describe('a status word of Twilio', () => {
  it.each([
    ['accepted', 'queued'],
    ['scheduled', 'queued'],
    ['queued', 'queued'],
    ['sending', 'queued'],
    ['sent', 'sent'],
    ['delivered', 'delivered'],
    ['read', 'read'],
    ['failed', 'failed'],
    ['undelivered', 'undelivered'],
    ['canceled', 'canceled'],
    ['READ', 'read'],
    ['Delivered', 'delivered'],
  ])('%s is stored as %s', (word, status) => {
    expect(projectTwilioStatus(word)).toBe(status);
  });

  it.each([
    'receiving',
    'received',
    'partially_delivered',
    'retrying',
    'unknown',
    'held',
    'expired',
    'suppressed',
    'cancelled',
    '',
    ' sent',
    'sent ',
  ])('"%s" is logged only', (word) => {
    expect(projectTwilioStatus(word)).toBeNull();
  });

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'get'])(
    '"%s" is no status, although objects have such a property',
    (word) => {
      expect(projectTwilioStatus(word)).toBeNull();
    },
  );

  it('never makes a row claimable, whatever the word', () => {
    const words = fc.oneof(fc.string(), fc.constantFrom(...Object.keys(MESSAGE_STATUSES)));
    fc.assert(
      fc.property(words, (word) => {
        const status = projectTwilioStatus(word);
        expect(status === null || rankOf(status) >= 20).toBe(true);
      }),
    );
  });
});
