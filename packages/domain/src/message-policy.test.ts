import { describe, expect, it } from 'vitest';
import { chooseSender, parseAllowedRecipients, refuseForeignRecipient, refuseOwnAddress } from './message-policy.ts';
import type { Sender } from './senders.ts';

const senders: Sender[] = [
  { alias: 'support', address: 'whatsapp:+15550100200', mps: 80 },
  { alias: 'news', address: `MG${'0a'.repeat(16)}`, mps: 400 },
];

describe('chooseSender', () => {
  it.each([
    [undefined, null, 'support'],
    ['news', null, 'news'],
    ['+15550100200', null, 'support'],
    ['news', ['news'], 'news'],
  ])('takes from %j for a producer bound to %j as %s', (from, aliases, alias) => {
    expect(chooseSender({ senders }, aliases, from).alias).toBe(alias);
  });

  it('names the senders that the producer may use, and no other', () => {
    const refused = (code: string, names: string) => expect.objectContaining({ code, message: expect.stringContaining(names) as string });
    expect(() => chooseSender({ senders }, null, 'nobody')).toThrow(refused('UNKNOWN_SENDER', 'to one of: support, news.'));
    expect(() => chooseSender({ senders }, ['news'], 'nobody')).toThrow(refused('UNKNOWN_SENDER', 'to one of: news.'));
    expect(() => chooseSender({ senders }, ['news'], 'support')).toThrow(refused('FORBIDDEN_SENDER', 'the senders news.'));
    expect(() => chooseSender({ senders }, ['news'])).toThrow(refused('FORBIDDEN_SENDER', 'the senders news.'));
  });
});

it('a sender never writes to itself', () => {
  const [support] = senders;
  if (support === undefined) throw new Error('no sender');
  expect(() => refuseOwnAddress(support, support.address)).toThrow(expect.objectContaining({ code: 'INVALID_RECIPIENT' }));
  expect(() => refuseOwnAddress(support, 'whatsapp:+15550100201')).not.toThrow();
});

describe('outside live mode', () => {
  const recipient = 'whatsapp:+15550100300';
  it.each([
    ['live', [], true],
    ['simulator', undefined, true],
    ['simulator', ['whatsapp:+15550100301'], false],
    ['sandbox', undefined, false],
    ['sandbox', [recipient], true],
  ] as const)('%s with the list %j lets a recipient pass: %s', (mode, list, passes) => {
    const refuse = () => refuseForeignRecipient({ mode, senders, allowedRecipients: () => list }, recipient);
    if (passes) expect(refuse).not.toThrow();
    else expect(refuse).toThrow(expect.objectContaining({ code: 'RECIPIENT_NOT_ALLOWED' }));
  });
});

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
