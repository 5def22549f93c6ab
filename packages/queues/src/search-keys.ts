import type { Redis } from 'ioredis';
import { pipelineValues } from './pipeline-values.ts';

/** Of up to 512 KiB each. */
const HASHES_PER_ROUND = 20;

/** Of a list or a set; most are ids. */
const ENTRIES_PER_ROUND = 5_000;

interface KeyReader {
  redis: Redis;
  /** Runs one round of commands within a deadline. */
  run: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Looks for a pattern in names and values, in answers of a few megabytes at most. @returns the names of keys in which it occurs */
export async function findInKeys({ redis, run }: KeyReader, names: readonly string[], pattern: RegExp): Promise<string[]> {
  if (names.length === 0) return [];
  const asking = redis.pipeline();
  for (const name of names) asking.type(name);
  const types = pipelineValues(await run(() => asking.exec())) as string[];
  const found = new Set(names.filter((name) => pattern.test(name)));
  const small: string[][] = [];
  for (const [index, name] of names.entries()) {
    const type = types[index] ?? '';
    const pages = PAGES[type];
    if (pages !== undefined) {
      for await (const page of pages({ redis, run }, name)) if (pattern.test(page.join('\n'))) found.add(name);
    } else if (Object.hasOwn(READ, type)) {
      if ((small.at(-1)?.length ?? HASHES_PER_ROUND) >= HASHES_PER_ROUND) small.push([]);
      small.at(-1)?.push(name);
    }
  }
  const typeOf = new Map(names.map((name, index) => [name, types[index] ?? '']));
  for (const round of small) {
    const reading = redis.pipeline();
    for (const name of round) READ[typeOf.get(name) ?? '']?.(reading, name);
    const values = pipelineValues(await run(() => reading.exec()));
    for (const [index, name] of round.entries()) if (pattern.test(JSON.stringify(values[index]))) found.add(name);
  }
  return [...found];
}

/** Values that are read as one. */
const READ: Record<string, (pipeline: ReturnType<Redis['pipeline']>, name: string) => unknown> = {
  string: (pipeline, name) => pipeline.get(name),
  hash: (pipeline, name) => pipeline.hgetall(name),
  // BullMQ's events, which are kept short.
  stream: (pipeline, name) => pipeline.xrange(name, '-', '+'),
};

/** Values that may have millions of entries. One of a module's types has no text. */
const PAGES: Record<string, (reader: KeyReader, name: string) => AsyncGenerator<string[]>> = {
  async *list({ redis, run }, name) {
    for (let from = 0, page = ['']; page.length > 0; from += ENTRIES_PER_ROUND) {
      const start = from;
      page = await run(() => redis.lrange(name, start, start + ENTRIES_PER_ROUND - 1));
      yield page;
    }
  },
  zset: ({ redis, run }, name) => scanned((cursor) => run(() => redis.zscan(name, cursor, 'COUNT', ENTRIES_PER_ROUND))),
  set: ({ redis, run }, name) => scanned((cursor) => run(() => redis.sscan(name, cursor, 'COUNT', ENTRIES_PER_ROUND))),
};

async function* scanned(scan: (cursor: string) => Promise<[string, string[]]>): AsyncGenerator<string[]> {
  let cursor = '0';
  do {
    const [next, page] = await scan(cursor);
    yield page;
    cursor = next;
  } while (cursor !== '0');
}
