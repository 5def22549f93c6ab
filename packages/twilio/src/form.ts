/** A decoded form: an object without prototype; a key that came several times has an array, in the order received. */
export type FormParams = Readonly<Record<string, string | readonly string[]>>;

/** Twilio sends some 30 parameters; the bound keeps a hostile body of 64 KiB from making 30,000 properties. */
const FORM_PARAMETERS_MAX = 1_000;

/**
 * Decodes an `application/x-www-form-urlencoded` body the way Twilio signs it: flat (no meaning in brackets), values as they are
 * (nothing trimmed or converted), empty values and repeated keys kept.
 *
 * Never throws: what is not UTF-8 or not valid percent-encoding becomes U+FFFD or stays as it is. Parameters beyond the first 1,000 are
 * dropped, so a body with more fails its signature, and `hasTooManyParameters` says why. (Node's own parser reads forms the same and costs half as much again,
 * which every callback would pay.)
 */
export function parseForm(rawBody: string | Buffer): FormParams {
  const text = typeof rawBody === 'string' ? rawBody : rawBody.toString('utf8');
  const params = new EmptyParams();
  let start = 0;
  for (let count = 0; count < FORM_PARAMETERS_MAX && start < text.length; start += 1) {
    const end = indexOrEnd(text, '&', start);
    if (end > start) {
      const equals = Math.min(indexOrEnd(text, '=', start), end);
      addParameter(params, decode(text.slice(start, equals)), decode(text.slice(equals + 1, end)));
      count += 1;
    }
    start = end;
  }
  return params;
}

/** Whether a body has more parameters than are read. */
export function hasTooManyParameters(rawBody: Buffer): boolean {
  const parameters = rawBody.toString('latin1').split('&');
  return parameters.length > FORM_PARAMETERS_MAX && parameters.filter((parameter) => parameter !== '').length > FORM_PARAMETERS_MAX;
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
  // Nearly every text is clean, and looking costs a tenth of replacing: this runs a dozen times per callback.
  const clean = first.includes('\0') || !first.isWellFormed() ? first.replaceAll('\0', '').toWellFormed() : first;
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

/**
 * Makes what `Object.create(null)` makes (no inherited name may look like a parameter), but in the form in which V8 reads and writes
 * properties fast: that one is a hash table from the start. Measured over a callback's verification: 8 %.
 */
const EmptyParams = function () {} as unknown as new () => Record<string, string | string[]>;
EmptyParams.prototype = Object.create(null) as object;

function indexOrEnd(text: string, character: string, from: number): number {
  const index = text.indexOf(character, from);
  return index === -1 ? text.length : index;
}

function addParameter(params: Record<string, string | string[]>, name: string, value: string): void {
  const before = params[name];
  if (before === undefined) params[name] = value;
  else if (typeof before === 'string') params[name] = [before, value];
  else before.push(value);
}

function decode(encoded: string): string {
  const text = encoded.includes('+') ? encoded.replaceAll('+', ' ') : encoded;
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    // Some of it is no percent-encoding, or no UTF-8: what is hexadecimal becomes bytes, the rest stays.
    return text.replaceAll(/(?:%[0-9a-fA-F]{2})+/g, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'));
  }
}
