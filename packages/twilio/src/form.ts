import { parse } from 'node:querystring';

/** A decoded form: an object without prototype; a key that came several times has an array, in the order received. */
export type FormParams = Readonly<Record<string, string | readonly string[]>>;

/** Twilio sends some 30 parameters; the bound keeps a hostile body of 64 KiB from making 30,000 properties. */
const FORM_PARAMETERS_MAX = 1_000;

/**
 * Decodes an `application/x-www-form-urlencoded` body the way Twilio signs it: flat (no meaning in brackets), values as they are
 * (nothing trimmed or converted), empty values and repeated keys kept.
 *
 * Never throws: what is not UTF-8 or not valid percent-encoding becomes U+FFFD or stays as it is. Parameters beyond the first 1,000 are
 * dropped, so a body with more fails its signature.
 */
export function parseForm(rawBody: string | Buffer): FormParams {
  const text = typeof rawBody === 'string' ? rawBody : rawBody.toString('utf8');
  return parse(text, '&', '=', { maxKeys: FORM_PARAMETERS_MAX }) as FormParams;
}

/**
 * One text parameter, fit for a row: without NUL and lone surrogates (one such value would make Postgres refuse a whole batch), cut to
 * a length in UTF-16 units.
 *
 * @returns null when the parameter is absent or empty. Of a repeated parameter the first one counts.
 */
export function readText(params: FormParams, name: string, charactersMax: number): string | null {
  const value = params[name];
  const first = typeof value === 'string' ? value : value?.[0];
  if (first === undefined) return null;
  const clean = first.replaceAll('\0', '').toWellFormed();
  const text = clean.length <= charactersMax ? clean : cutBetweenCharacters(clean, charactersMax);
  return text === '' ? null : text;
}

/** Like readText for an identifier or address: null when it is too long, because half of one names something else. */
export function readWhole(params: FormParams, name: string, charactersMax: number): string | null {
  const text = readText(params, name, charactersMax + 1);
  return text === null || text.length > charactersMax ? null : text;
}

function cutBetweenCharacters(text: string, charactersMax: number): string {
  const cut = text.slice(0, charactersMax);
  return cut.isWellFormed() ? cut : cut.slice(0, -1);
}
