import { z } from 'zod';
import { parseFailpoints } from './failpoints.ts';

/**
 * Types of configuration values: each reads the text of one environment variable. A problem goes on after the key's name and says
 * what to write instead; it never repeats the text, which may be a secret.
 */

const INTEGER = /^\d{1,16}$/;
const NUMBER = /^\d+(?:\.\d+)?$/;
const SWITCH = { on: true, true: true, '1': true, off: false, false: false, '0': false } as const;

/** `loopback` and the like, an address, or a network: what a proxy in front of us may have. */
const PROXY_ADDRESS = /^(?:loopback|linklocal|uniquelocal|[0-9a-fA-F.:]+(?:\/\d{1,3})?)$/;

export const textValue = () => z.string();

export const nameValue = () =>
  z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$/, 'must be 1 to 32 letters, digits, hyphens or underscores, the first a letter or digit');

export const integerValue = (min: number, max: number) =>
  z
    .string()
    .refine((text) => INTEGER.test(text) && Number(text) >= min && Number(text) <= max, `must be a whole number from ${min} to ${max}`)
    .transform(Number);

export const portValue = () => integerValue(0, 65_535);

export const numberValue = (min: number) =>
  z
    .string()
    .refine((text) => NUMBER.test(text) && Number(text) >= min, `must be a number of at least ${min}`)
    .transform(Number);

export const switchValue = () =>
  z
    .string()
    .refine((text): text is keyof typeof SWITCH => Object.hasOwn(SWITCH, text), 'must be on or off')
    .transform((text) => SWITCH[text]);

export const oneOf = <const T extends readonly [string, ...string[]]>(values: T) => z.enum(values, `must be one of ${values.join(', ')}`);

/** Entries joined by commas; spaces around them and empty ones are dropped. */
export const listValue = () => z.string().transform(splitList);

/** An absolute URL without user, query and fragment; given back without a slash at its end. */
export const urlValue = () =>
  z
    .string()
    .refine(isPlainUrl, 'must be a URL like https://host[:port], without user, query and fragment')
    .transform((text) => text.replace(/\/+$/, ''));

/** A connection string; it may hold a user and a password. */
export const connectionValue = (schemes: readonly [string, ...string[]]) =>
  z.string().refine((text) => hasScheme(text, schemes), `must be a connection string like ${schemes[0]}://user:password@host:port/name`);

/**
 * Which proxies in front of us are believed about a caller's address: how many of them, or their addresses. Never simply all: then
 * every caller could name any address as its own.
 */
export const trustedProxiesValue = () =>
  z.string().transform((text, context): false | number | string[] => {
    if (text === 'off') return false;
    if (INTEGER.test(text)) return Number(text) === 0 ? false : Number(text);
    const addresses = splitList(text);
    if (addresses.every((address) => PROXY_ADDRESS.test(address))) return addresses;
    context.addIssue({
      code: 'custom',
      message: 'must be off, the number of proxies in front, or their addresses or networks joined by commas',
    });
    return z.NEVER;
  });

/** The text of FAILPOINTS, once it is known to name failpoints only. */
export const failpointsValue = () =>
  z.string().superRefine((text, context) => {
    try {
      parseFailpoints(text);
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message });
    }
  });

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

function isPlainUrl(text: string): boolean {
  if (!hasScheme(text, ['http', 'https'])) return false;
  const url = new URL(text);
  return url.username === '' && url.password === '' && !/[?#\s]/.test(text);
}

function hasScheme(text: string, schemes: readonly string[]): boolean {
  return URL.canParse(text) && schemes.includes(new URL(text).protocol.slice(0, -1)) && new URL(text).hostname !== '';
}
