import * as fc from 'fast-check';
import { isPossiblePhoneNumber } from 'libphonenumber-js/max';
import { describe, expect, it } from 'vitest';
import { normalizeRecipient } from './recipients.ts';

describe('a recipient', () => {
  it.each([
    ['a US test number', '+15005550006'],
    ['a 555 number, which is never valid', '+12025550123'],
    ['a number of a range that no plan knows', '+15555550100'],
    ['a German mobile number', '+4915123456789'],
    ['a short national number', '+2901234'.padEnd(9, '5')],
    ['a number of eleven national digits', '+8613812345678'],
    ['a country that shares +1', '+18765550123'],
    ['a country that shares +7', '+77011234567'],
    ['a Brazilian number in its old form', '+551112345678'],
    ['an Argentine mobile number', '+5491123456789'],
    ['a Mexican number as the plan has it', '+525512345678'],
    ['a Mexican mobile number as WhatsApp writes it', '+5215512345678'],
    ['a number with its national prefix, as the library forgives it', '+4407911123456'],
    ['a number that belongs to no country', '+80012345678'],
  ])('may be %s, stored with its prefix and otherwise as written', (_label, number) => {
    expect(normalizeRecipient(number)).toBe(`whatsapp:${number}`);
    expect(normalizeRecipient(`whatsapp:${number}`)).toBe(`whatsapp:${number}`);
  });

  it.each(['whatsapp:US.1234', 'whatsapp:DE.aB9', `whatsapp:BR.${'a'.repeat(128)}`])('may be the business-scoped user id %s', (id) => {
    expect(normalizeRecipient(id)).toBe(id);
  });

  it.each([
    ['nothing', ''],
    ['a prefix alone', 'whatsapp:'],
    ['a word', 'hello'],
    ['digits without a plus', '15005550006'],
    ['a plus alone', '+'],
    ['a leading zero', '+05005550006'],
    ['spaces', '+1 500 555 0006'],
    ['dashes', '+1-500-555-0006'],
    ['a space in front', ' +15005550006'],
    ['a line end behind', '+15005550006\n'],
    ['a NUL', '+15005550006\0'],
    ['Arabic digits', '+١٥٠٠٥٥٥٠٠٠٦'],
    ['full-width digits', '+１５００５５５０００６'],
    ['an extension', '+15005550006;ext=1'],
    ['too few digits for its country', '+1500555000'],
    ['too many digits for its country', '+150055500061'],
    ['more digits than any number has', '+1500555000612345'],
    ['an unknown calling code', '+999123456789'],
    ['an upper-case prefix', 'WhatsApp:+15005550006'],
    ['two prefixes', 'whatsapp:whatsapp:+15005550006'],
    ['another channel', 'messenger:12345'],
    ['a Messaging Service', 'MG00000000000000000000000000000000'],
    ['a user id without its prefix', 'US.1234'],
    ['a user id with a small country', 'whatsapp:us.1234'],
    ['a user id with nothing behind the dot', 'whatsapp:US.'],
    ['a user id that is too long', `whatsapp:US.${'1'.repeat(129)}`],
    ['a user id with a line end', 'whatsapp:US.1234\n'],
    ['two user ids', 'whatsapp:US.1234,whatsapp:US.5678'],
  ])('may not be %s', (_label, text) => {
    expect(normalizeRecipient(text)).toBeNull();
  });

  it('is refused for no number that the library takes for possible', () => {
    const half = fc.integer({ min: 1000, max: 9_999_999 });
    const number = fc.tuple(half, half).map(([left, right]) => `+${left}${right}`);
    fc.assert(
      fc.property(number, (text) => {
        expect([null, `whatsapp:${text}`]).toContain(normalizeRecipient(text));
        expect(isPossiblePhoneNumber(text) && normalizeRecipient(text) === null).toBe(false);
      }),
      { numRuns: 1000 },
    );
  });

  it('is stored in a form that is its own stored form', () => {
    const texts = fc.oneof(fc.string(), fc.stringMatching(/^(whatsapp:)?(\+\d{5,17}|[A-Za-z]{2}\.\w{0,20})$/));
    fc.assert(
      fc.property(texts, (text) => {
        const stored = normalizeRecipient(text);
        expect(stored === null || normalizeRecipient(stored) === stored).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
