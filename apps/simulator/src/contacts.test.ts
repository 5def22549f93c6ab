import { describe, expect, test } from 'vitest';
import { createContacts } from './contacts.ts';

const DAY = 86_400_000;

describe('createContacts', () => {
  test('a window is open for 24 hours from the last message, for this pair alone', () => {
    const contacts = createContacts();
    expect(contacts.hasOpenWindow('us', 'ann', 0)).toBe(false);
    contacts.recordInbound('us', 'ann', 'hello', 1000);
    expect(contacts.hasOpenWindow('us', 'ann', 1000 + DAY - 1)).toBe(true);
    expect(contacts.hasOpenWindow('us', 'ann', 1000 + DAY)).toBe(false);
    expect(contacts.hasOpenWindow('them', 'ann', 1000)).toBe(false);
    expect(contacts.hasOpenWindow('us', 'bob', 1000)).toBe(false);
    contacts.recordInbound('us', 'ann', 'again', 5000);
    expect(contacts.hasOpenWindow('us', 'ann', 5000 + DAY - 1)).toBe(true);
  });

  test.each(['STOP', ' stop ', 'Unsubscribe', 'END', 'quit', 'CANCEL'])('"%s" opts out, START opts in again', (word) => {
    const contacts = createContacts();
    expect(contacts.recordInbound('us', 'ann', word, 0)).toBe('STOP');
    expect(contacts.hasOptedOut('us', 'ann')).toBe(true);
    expect(contacts.hasOptedOut('them', 'ann')).toBe(false);
    expect(contacts.recordInbound('us', 'ann', 'thanks', 0)).toBeNull();
    expect(contacts.hasOptedOut('us', 'ann')).toBe(true);
    expect(contacts.recordInbound('us', 'ann', 'start', 0)).toBe('START');
    expect(contacts.hasOptedOut('us', 'ann')).toBe(false);
  });

  test('a word within a sentence means nothing', () => {
    const contacts = createContacts();
    expect(contacts.recordInbound('us', 'ann', 'please stop that', 0)).toBeNull();
    expect(contacts.hasOptedOut('us', 'ann')).toBe(false);
  });

  test('beyond the bound the pair that was quiet longest is forgotten', () => {
    const contacts = createContacts({ pairsMax: 2 });
    for (const person of ['ann', 'bob', 'ann', 'eve']) contacts.recordInbound('us', person, 'hello', 0);
    expect(['ann', 'bob', 'eve'].map((person) => contacts.hasOpenWindow('us', person, 0))).toEqual([true, false, true]);
  });
});
