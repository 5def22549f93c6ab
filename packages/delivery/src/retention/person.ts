import { normalizeRecipient } from '@tickmark/domain';
import { formsOfAddress } from '../recipient-forms.ts';

/** One person, in every form in which the address is written. */
export interface Person {
  /** As `whatsapp:+E164` or `whatsapp:<CC>.<user id>`. */
  addresses: string[];
  /** Finds the address in any text, however it is written before: with or without `whatsapp:`, plus sign, or 00. Valid in JavaScript and in PostgreSQL. */
  pattern: string;
}

/** @returns null when it is no address */
export function readPerson(phone: string): Person | null {
  const address = normalizeRecipient(/^(whatsapp:)?\+/.test(phone) ? phone.replaceAll(/[\s().\-/\u00A0]/g, '') : phone);
  if (address === null) return null;
  const addresses = formsOfAddress(address);
  const bare = addresses.map((form) => form.replace(/^whatsapp:\+?/, '').replaceAll('.', '[.]')).join('|');
  // Not within a longer number, but behind any letter and any byte of a URL: a plus sign may be written as %2B or, as a blank, %20.
  return {
    addresses,
    pattern: bare.includes('.') ? `(${bare})(?![0-9A-Za-z])` : `((?<![0-9])|(?<=%[0-9A-Fa-f][0-9]))(00)?(${bare})(?![0-9])`,
  };
}
