import { describe, expect, test } from 'vitest';
import { createSenderDirectory } from './sender-directory.ts';

const SERVICE = `MG${'0'.repeat(32)}`;
const sender = (address: string) => ({ alias: address, address, mps: 80 });

describe('createSenderDirectory', () => {
  test('knows the configured senders only, or every one when none is configured', () => {
    const directory = createSenderDirectory([sender('whatsapp:+14155238886'), sender(SERVICE)]);
    expect(directory.knows('whatsapp:+14155238886')).toBe(true);
    expect(directory.knows(SERVICE)).toBe(true);
    expect(directory.knows('whatsapp:+14155238887')).toBe(false);
    expect(createSenderDirectory([]).knows('whatsapp:+14155238887')).toBe(true);
  });

  test('a service always writes to one person from one address, and spreads people over all', () => {
    const pool = ['whatsapp:+14155238886', 'whatsapp:+14155238887'];
    const directory = createSenderDirectory([...pool, SERVICE].map(sender));
    const chosen = Array.from({ length: 100 }, (_, index) => directory.addressFor(SERVICE, `whatsapp:US.${index}`));
    expect(new Set(chosen)).toEqual(new Set(pool));
    expect(Array.from({ length: 100 }, (_, index) => directory.addressFor(SERVICE, `whatsapp:US.${index}`))).toEqual(chosen);
  });

  test('a service without any configured address has one of its own', () => {
    expect(createSenderDirectory([sender(SERVICE)]).addressFor(SERVICE, 'whatsapp:US.1')).toMatch(/^whatsapp:\+1415\d{7}$/);
  });
});
