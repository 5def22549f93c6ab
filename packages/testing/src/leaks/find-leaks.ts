import { createReadStream, statSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createGunzip } from 'node:zlib';
import { dumpRedis } from './dump-redis.ts';

export interface Needle {
  /** What kind of secret it is, printed in a finding: `phone`, `body`. */
  what: string;
  pattern: RegExp;
}

export interface Finding {
  what: string;
  /** File and line, or database, key and type in Redis; the secret itself is blacked out. */
  where: string;
}

export interface FindLeaksOptions {
  needles: readonly Needle[];
  /** Files, or folders to be searched to the bottom; what is named `.gz` is unpacked. */
  files?: readonly string[];
  redisUrl?: string;
}

/**
 * Searches files line by line, and every database of a Redis by key, name and value.
 *
 * @returns one finding for each line or key and each kind of secret in it, never the secret; empty when there is none
 * @throws when a file or the Redis cannot be read: what was not searched is not clean
 */
export async function findLeaks(options: FindLeaksOptions): Promise<Finding[]> {
  const { needles, files = [], redisUrl } = options;
  const findings: Finding[] = [];
  for (const file of files.flatMap(listFiles)) {
    for await (const { line, number } of readLines(file)) findings.push(...search(line, `${file}:${number}`, needles));
  }
  if (redisUrl === undefined) return findings;
  for await (const { database, key, type, value } of dumpRedis(redisUrl)) {
    const where = `redis database ${database}, ${type} ${JSON.stringify(key)}`;
    findings.push(...search(`${key}\n${value}`, where, needles));
  }
  return findings;
}

function search(text: string, where: string, needles: readonly Needle[]): Finding[] {
  return needles.filter(({ pattern }) => pattern.test(text)).map(({ what }) => ({ what, where: blackOut(where, needles) }));
}

/** A key's or a file's name may be what leaked. */
function blackOut(text: string, needles: readonly Needle[]): string {
  return needles.reduce(
    (result, { what, pattern }) => result.replaceAll(new RegExp(pattern.source, `${pattern.flags}g`), `[${what}]`),
    text,
  );
}

function listFiles(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Bytes are read as Latin-1, which never fails: a spool file need not be text, and what is searched for is ASCII. */
async function* readLines(file: string): AsyncGenerator<{ line: string; number: number }> {
  const bytes = createReadStream(file);
  const input = file.endsWith('.gz') ? bytes.pipe(createGunzip()) : bytes;
  // pipe() does not pass errors on.
  bytes.once('error', (error) => input.destroy(error));
  let number = 0;
  let rest = '';
  for await (const chunk of input as AsyncIterable<Buffer>) {
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield { line, number: (number += 1) };
  }
  if (rest) yield { line: rest, number: number + 1 };
}
