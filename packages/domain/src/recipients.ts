import { isPossiblePhoneNumber } from 'libphonenumber-js/max';

/** A business-scoped user id: two letters of a country, a dot, letters and digits. */
const BSUID = /^whatsapp:[A-Z]{2}\.[A-Za-z0-9]{1,128}$/;

/**
 * The stored form of a recipient: `whatsapp:+E164` or `whatsapp:CC.…`; null when the text is neither.
 *
 * Only `isPossible` is asked, never `isValid`: new ranges and test numbers must pass.
 */
export function normalizeRecipient(text: string): string | null {
  if (BSUID.test(text)) return text;
  const number = text.startsWith('whatsapp:') ? text.slice('whatsapp:'.length) : text;
  if (!/^\+[1-9]\d{6,14}$/.test(number) || !isPossiblePhoneNumber(number)) return null;
  return `whatsapp:${number}`;
}
