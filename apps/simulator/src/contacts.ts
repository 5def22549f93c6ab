/** What the simulated Twilio remembers of people: when they last wrote to a sender, and whether they opted out of it. */
export interface Contacts {
  /** A message of a person to one of our addresses: renews the window, and a STOP or START word opts out or in. */
  recordInbound(sender: string, person: string, body: string, nowMs: number): 'STOP' | 'START' | null;
  hasOpenWindow(sender: string, person: string, nowMs: number): boolean;
  hasOptedOut(sender: string, person: string): boolean;
}

const WINDOW_MS = 24 * 3_600_000;
/** Pairs remembered at most, some 200 bytes each; the oldest are forgotten. */
const PAIRS_MAX = 500_000;
/** Twilio's default words. */
const STOP_WORDS = new Set(['STOP', 'STOPALL', 'UNSUBSCRIBE', 'CANCEL', 'END', 'QUIT', 'REVOKE', 'OPTOUT']);
const START_WORDS = new Set(['START', 'YES', 'UNSTOP']);

export function createContacts(options: { pairsMax?: number } = {}): Contacts {
  const { pairsMax = PAIRS_MAX } = options;
  const lastInboundAt = new Map<string, number>();
  const optedOut = new Map<string, true>();
  const remember = <V>(map: Map<string, V>, key: string, value: V) => {
    // Taken out first, so that the map's order is that of the last writing.
    map.delete(key);
    map.set(key, value);
    if (map.size > pairsMax) map.delete(map.keys().next().value ?? '');
  };
  return {
    recordInbound: (sender, person, body, nowMs) => {
      const pair = `${sender} ${person}`;
      remember(lastInboundAt, pair, nowMs);
      const word = body.trim().toUpperCase();
      if (STOP_WORDS.has(word)) {
        remember(optedOut, pair, true);
        return 'STOP';
      }
      if (!START_WORDS.has(word)) return null;
      optedOut.delete(pair);
      return 'START';
    },
    hasOpenWindow: (sender, person, nowMs) => nowMs - (lastInboundAt.get(`${sender} ${person}`) ?? -Infinity) < WINDOW_MS,
    hasOptedOut: (sender, person) => optedOut.has(`${sender} ${person}`),
  };
}
