import { getCountries, getCountryCallingCode, isPossiblePhoneNumber, Metadata } from 'libphonenumber-js/min';

/** A business-scoped user id: two letters of a country, a dot, letters and digits. */
const BSUID = /^whatsapp:[A-Z]{2}\.[A-Za-z0-9]{1,128}$/;

/**
 * WhatsApp still writes Mexican mobile numbers with a 1 after +52, and Twilio reports them so, although the numbering plan dropped
 * it in 2019: without this form nobody there could be answered.
 */
const MEXICAN_MOBILE = /^\+521\d{10}$/;

/**
 * The stored form of a recipient: `whatsapp:+E164` or `whatsapp:CC.…`; null when the text is neither. Digits are kept as written.
 *
 * Only the length is asked for (`isPossible`), never `isValid`: new ranges and test numbers must pass.
 */
export function normalizeRecipient(text: string): string | null {
  if (BSUID.test(text)) return text;
  const number = text.startsWith('whatsapp:') ? text.slice('whatsapp:'.length) : text;
  if (!/^\+[1-9]\d{6,14}$/.test(number)) return null;
  // The library's own answer costs 10 µs, the length alone 0.1 µs, so the library is asked only about numbers that do not pass by their length.
  const isPossible = hasPossibleLength(number) || MEXICAN_MOBILE.test(number) || isPossiblePhoneNumber(number);
  return isPossible ? `whatsapp:${number}` : null;
}

/** Lengths of national numbers by calling code, over all countries that share it. */
const POSSIBLE_LENGTHS: ReadonlyMap<string, ReadonlySet<number>> = readPossibleLengths();

function hasPossibleLength(number: string): boolean {
  // Calling codes have one to three digits and none begins with another one.
  for (let end = 2; end <= 4; end += 1) {
    const lengths = POSSIBLE_LENGTHS.get(number.slice(1, end));
    if (lengths !== undefined) return lengths.has(number.length - end);
  }
  return false;
}

function readPossibleLengths(): Map<string, Set<number>> {
  const byCallingCode = new Map<string, Set<number>>();
  const metadata = new Metadata();
  for (const country of getCountries()) {
    metadata.selectNumberingPlan(country);
    const callingCode = getCountryCallingCode(country);
    const lengths = byCallingCode.get(callingCode) ?? new Set();
    for (const length of metadata.numberingPlan?.possibleLengths() ?? []) lengths.add(length);
    byCallingCode.set(callingCode, lengths);
  }
  return byCallingCode;
}
