import { setTimeout as delay } from 'node:timers/promises';
import type { StopTarget } from '@tickmark/delivery';
import type { FailureShares } from '@tickmark/queues';
import type { FinishedMessage } from './send-signals.ts';

/** Codes that some recipients cause in any campaign, and many of them only a bad one: outside the window, too much marketing, paused. */
const WATCHED_CODES: ReadonlySet<number> = new Set([63016, 63049, 63041]);
/** Their share among the messages that ended within five minutes, from which on a campaign or a template is stopped; of so many at least. */
const WATCHED_SHARE = 0.3;
const FINALS_MIN = 20;

/** Between two counts of what has ended: at line rate each would be about one batch of many, and a second later is soon enough to stop. */
const COUNT_PAUSE_MS = 200;

export interface WatchSharesDeps {
  failures: Pick<FailureShares, 'count'>;
  /** Whether such a stop counts now. */
  isStopped: (target: StopTarget) => boolean;
  onTooMany: (target: StopTarget, errorCode: number) => void;
}

export interface WatchedShares {
  /** Resolves when they are counted, together with what ends meanwhile. */
  finished(messages: readonly FinishedMessage[]): Promise<void>;
}

/** Watches which share of the messages of a campaign and of a template ends badly. */
export function watchShares({ failures, isStopped, onTooMany }: WatchSharesDeps): WatchedShares {
  const waiting = new Map<string, Tally>();
  let counting: Promise<void> | undefined;

  const count = async () => {
    const tallies = [...waiting.values()];
    waiting.clear();
    // Redis away: these few minutes are not watched, which costs no message.
    const counts = await failures.count(tallies).catch(() => []);
    counts.forEach(({ finals, failures: bad }, index) => {
      const { target, errorCode } = tallies[index] ?? {};
      if (target === undefined || errorCode === undefined || errorCode === null) return;
      if (finals >= FINALS_MIN && bad / finals >= WATCHED_SHARE) onTooMany(target, errorCode);
    });
  };
  const countAll = async () => {
    while (waiting.size > 0) {
      await count();
      await delay(COUNT_PAUSE_MS);
    }
    counting = undefined;
  };

  return {
    finished: (messages) => {
      // What ends under a stop was sent before it, and is not to close again what a person lets go meanwhile.
      for (const tally of tallyUp(messages).filter(({ target }) => !isStopped(target))) addTo(waiting, tally);
      if (waiting.size > 0) counting ??= countAll();
      return counting ?? Promise.resolve();
    },
  };
}

interface Tally {
  key: string;
  target: StopTarget;
  finals: number;
  failures: number;
  /** The code of the last failure among them; null = none. */
  errorCode: number | null;
}

export function keyOf({ scope, target }: StopTarget): string {
  return `${scope} ${target}`;
}

function addTo(tallies: Map<string, Tally>, { finals, failures, errorCode, ...rest }: Tally): void {
  const known = tallies.get(rest.key) ?? { ...rest, finals: 0, failures: 0, errorCode: null };
  known.finals += finals;
  known.failures += failures;
  known.errorCode = errorCode ?? known.errorCode;
  tallies.set(rest.key, known);
}

/** What the messages of a batch add to the counts of their campaigns and templates. */
function tallyUp(messages: readonly FinishedMessage[]): Tally[] {
  const tallies = new Map<string, Tally>();
  const add = (scope: 'campaign' | 'template', target: string | null, errorCode: number | null) => {
    if (target === null) return;
    const isBad = errorCode !== null && WATCHED_CODES.has(errorCode);
    const tally = { key: keyOf({ scope, target }), target: { scope, target }, finals: 1, failures: isBad ? 1 : 0 };
    addTo(tallies, { ...tally, errorCode: isBad ? errorCode : null });
  };
  for (const { campaign, template, errorCode } of messages) {
    add('campaign', campaign, errorCode);
    add('template', template, errorCode);
  }
  return [...tallies.values()];
}
