/** A decoded form: a null-prototype object; a key that came several times has an array, in the order received. */
export type FormParams = Readonly<Record<string, string | readonly string[]>>;

export function parseForm(_rawBody: string | Buffer): FormParams {
  throw new Error('not built yet');
}
