import { describe, expect, it } from 'vitest';
import { parseAllowedRecipients } from './message-policy.ts';

describe('parseAllowedRecipients', () => {
  it('brings every entry into the stored form of a recipient', () => {
    expect(parseAllowedRecipients(' +15005550006, whatsapp:+15005550009,,whatsapp:US.abc123')).toEqual([
      'whatsapp:+15005550006',
      'whatsapp:+15005550009',
      'whatsapp:US.abc123',
    ]);
    expect(parseAllowedRecipients('')).toEqual([]);
  });

  it('tells bad entries by their position, and never repeats a number', () => {
    const parse = () => parseAllowedRecipients('+15005550006,,12345,+1');
    expect(parse).toThrow('entry 3, 4: must be');
    expect(parse).not.toThrow('12345');
  });
});
