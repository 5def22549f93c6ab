export interface Needle {
  /** What kind of secret it is, printed in a finding: `phone`, `body`. */
  what: string;
  pattern: RegExp;
}

export interface Finding {
  what: string;
  /** File and line, or database, type and key of Redis; the secret itself is blacked out. */
  where: string;
}

export interface FindLeaksOptions {
  needles: readonly Needle[];
  /** Files, or folders to be searched to the bottom. */
  files?: readonly string[];
  redisUrl?: string;
}

/** Searches files and every key, value and database of a Redis. An empty list means that nothing was found. */
export function findLeaks(_options: FindLeaksOptions): Promise<Finding[]> {
  throw new Error('not built yet');
}
