import { z } from 'zod';

/** Types of configuration values: each reads the text of one environment variable. Messages say what to write instead. */

const INTEGER = /^\d+$/;
const NUMBER = /^\d+(\.\d+)?$/;

export const textValue = () => z.string();

export const integerValue = (min: number, max: number) =>
  z
    .string()
    .refine(
      (text) => INTEGER.test(text) && Number(text) >= min && Number(text) <= max,
      `is not a whole number from ${min} to ${max}: write one`,
    )
    .transform(Number);

export const numberValue = (min: number) =>
  z
    .string()
    .refine((text) => NUMBER.test(text) && Number(text) >= min, `is not a number of at least ${min}: write one`)
    .transform(Number);

export const switchValue = () =>
  z
    .string()
    .refine((text) => ['on', 'off', 'true', 'false', '1', '0'].includes(text.toLowerCase()), 'is neither on nor off: write one of them')
    .transform((text) => ['on', 'true', '1'].includes(text.toLowerCase()));

export const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, `is not one of its values: write ${values.join(', ')}`);

export const listValue = () =>
  z.string().transform((text) =>
    text
      .split(',')
      .map((entry) => entry.trim())
      .filter((entry) => entry !== ''),
  );

/** An absolute URL with one of the given schemes and without a query or fragment; given back without a slash at its end. */
export const urlValue = (schemes: readonly string[]) =>
  z
    .string()
    .refine(
      (text) => isPlainUrl(text, schemes),
      `is not a URL: write ${schemes.join(':// or ')}://host[:port], with no query, fragment or user`,
    )
    .transform((text) => text.replace(/\/+$/, ''));

/** A connection string; it may hold a user and a password. */
export const connectionValue = (schemes: readonly string[]) =>
  z
    .string()
    .refine((text) => hasScheme(text, schemes), `is not a connection string: write ${schemes.join(':// or ')}://[user:password@]host:port`);

function isPlainUrl(text: string, schemes: readonly string[]): boolean {
  if (!hasScheme(text, schemes)) return false;
  const url = new URL(text);
  return url.hostname !== '' && url.search === '' && url.hash === '' && url.username === '' && url.password === '' && !/[?#]$/.test(text);
}

function hasScheme(text: string, schemes: readonly string[]): boolean {
  return URL.canParse(text) && schemes.includes(new URL(text).protocol.slice(0, -1));
}
