/** What may be retried, as the `rp` override names it. `all` stands for every failure. */
export type RetryPolicy = '4xx' | '5xx' | 'ct' | 'rt' | 'all';

/** How one callback is delivered: Twilio's connection overrides. */
export interface ConnectionOverrides {
  /** `ct`: to establish the connection. */
  connectTimeoutMs: number;
  /** `rt`: until the first byte of the answer, and between packets. */
  readTimeoutMs: number;
  /** `tt`: everything, all retries included. */
  totalTimeoutMs: number;
  /** `rc`. */
  retriesMax: number;
  /** `rp`. */
  retryOn: ReadonlySet<RetryPolicy>;
}

const POLICIES: ReadonlySet<string> = new Set<RetryPolicy>(['4xx', '5xx', 'ct', 'rt', 'all']);
const RANGES = { ct: [100, 10_000, 5_000], rt: [100, 15_000, 15_000], tt: [100, 15_000, 15_000], rc: [0, 5, 1] } as const;

/** Twilio's documented defaults: one retry, and only when no connection came about. */
export const DEFAULT_OVERRIDES: ConnectionOverrides = {
  connectTimeoutMs: RANGES.ct[2],
  readTimeoutMs: RANGES.rt[2],
  totalTimeoutMs: RANGES.tt[2],
  retriesMax: RANGES.rc[2],
  retryOn: new Set(['ct']),
};

/**
 * Reads the overrides from a URL's fragment (`#rc=5&rp=ct,rt,5xx&ct=2000&rt=4000`). A value that is no number or out of its range is
 * brought to its default; an unknown word in `rp` is left out. `sni` and `e` mean nothing on a local machine.
 */
export function readOverrides(fragment: string): ConnectionOverrides {
  if (fragment.length <= 1) return DEFAULT_OVERRIDES;
  const known = read.get(fragment);
  if (known) return known;
  const overrides = parseOverrides(fragment);
  if (read.size < READ_MAX) read.set(fragment, overrides);
  return overrides;
}

/** A pure function's results, kept because all callbacks of a sender have one fragment. */
const read = new Map<string, ConnectionOverrides>();
const READ_MAX = 100;

function parseOverrides(fragment: string): ConnectionOverrides {
  const given = new URLSearchParams(fragment.startsWith('#') ? fragment.slice(1) : fragment);
  return {
    connectTimeoutMs: inRange(given.get('ct'), RANGES.ct),
    readTimeoutMs: inRange(given.get('rt'), RANGES.rt),
    totalTimeoutMs: inRange(given.get('tt'), RANGES.tt),
    retriesMax: inRange(given.get('rc'), RANGES.rc),
    retryOn: given.has('rp') ? new Set(given.getAll('rp').join(',').split(',').filter(isPolicy)) : DEFAULT_OVERRIDES.retryOn,
  };
}

function isPolicy(word: string): word is RetryPolicy {
  return POLICIES.has(word);
}

function inRange(text: string | null, [min, max, byDefault]: readonly [number, number, number]): number {
  if (text === null || !/^\d+$/.test(text)) return byDefault;
  const value = Number(text);
  return value >= min && value <= max ? value : byDefault;
}
