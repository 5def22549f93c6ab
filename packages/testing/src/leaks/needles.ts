import { randomBytes, randomInt } from 'node:crypto';
import type { Needle } from './find-leaks.ts';

/** The parts of a run's fixture data by which a leak is known. */
export interface RunMarks {
  /** The first seven digits of every phone number, without the plus sign. */
  phonePrefix: string;
  /** Hex digits that stand in every text, token or key of that kind and nowhere else. */
  body: string;
  token: string;
  apiKey: string;
}

export function createRunMarks(): RunMarks {
  return { phonePrefix: `1555${randomInt(200, 1000)}`, body: marker(), token: marker(), apiKey: marker() };
}

function marker(): string {
  return randomBytes(6).toString('hex');
}

/** What to search for, in each form that a log or a store may hold it in. */
export function needlesFor(marks: RunMarks): Needle[] {
  return [
    { what: 'phone', pattern: phonePattern(marks.phonePrefix) },
    { what: 'body', pattern: markerPattern(marks.body) },
    { what: 'token', pattern: markerPattern(marks.token) },
    { what: 'API key', pattern: markerPattern(marks.apiKey) },
  ];
}

/**
 * A whole number with that prefix: with or without plus sign (also as `%2B` and `\u002b`) and country code.
 *
 * Seven digits alone would be found by chance in any large log, for instance inside a time in milliseconds, so the
 * number has to begin and to end where a word does.
 */
function phonePattern(prefix: string): RegExp {
  return new RegExp(String.raw`(?:\+|%2B|\\u002b|(?<![0-9A-Za-z]))1?${prefix.slice(1)}\d{4}(?![0-9A-Za-z])`, 'i');
}

/** The marker as it is, or inside base64, where `Authorization: Basic` puts tokens: there it reads in three ways, by its offset. */
function markerPattern(mark: string): RegExp {
  const encoded = [0, 1, 2].map((offset) => {
    const text = Buffer.from('\0'.repeat(offset) + mark).toString('base64url');
    // The first characters also depend on what stands before the marker, the last ones on what follows it.
    const certain = text.slice(offset === 0 ? 0 : offset + 1, Math.floor(((offset + mark.length) * 8) / 6));
    return certain.replaceAll('-', '[-+]').replaceAll('_', '[/_]');
  });
  return new RegExp(`${mark}|${mark.toUpperCase()}|${encoded.join('|')}`);
}
