import { listStops, type Database, type SendStop, type StopTarget } from '@tickmark/delivery';
import type { Clock, Logger, Metrics } from '@tickmark/runtime';
import type { MessagesClient } from '@tickmark/twilio';
import type { DatabaseBreaker } from './database-breaker.ts';
import { createHalfOpen, type HalfOpenSettings, type Probe } from './half-open.ts';
import type { SenderWorkers } from './sender-workers.ts';
import { waited } from './waited.ts';

const READ_MS = 1_000;

/** What a breaker can be about; the closed set of the metric's label. */
const BREAKER_SCOPES = ['account', 'sender', 'campaign', 'template'] as const;

export interface FollowStopsDeps {
  db: Pick<Database, 'sql'>;
  breaker: Pick<DatabaseBreaker, 'report'>;
  twilio: Pick<MessagesClient, 'credentialsFingerprint'>;
  senders: Pick<SenderWorkers, 'aliases' | 'followStops'>;
  clock: Clock;
  metrics: Pick<Metrics, 'circuitOpen'>;
  log: Logger;
}

export interface FollowedStops {
  /** Reads the stops, and from the first call on once a second. Of many calls at once one reads. */
  read(): Promise<void>;
  /** Whether such a stop counts, as far as this process knows. */
  isStopped(target: StopTarget): boolean;
  /**
   * Whether a job of the sender may go on to its claim, as far as this process knows.
   *
   * @returns null = it is stopped; a probe = it may, as the one message that tries what is open
   */
  enter(alias: string): { probe: Probe | null } | null;
  close(): Promise<void>;
}

/**
 * Pauses this process's workers of what is stopped, and resumes them: the claim decides whatever is known here, this only saves jobs from
 * being taken and put off one by one. Read once a second; while Postgres is away, what was known last holds.
 *
 * Campaigns and templates are no worker's: their messages are parked by the claim.
 */
export function followStops(deps: FollowStopsDeps, settings: HalfOpenSettings): FollowedStops {
  const { db, breaker, twilio, senders, metrics } = deps;
  const halfOpen = createHalfOpen(deps, settings);
  const stop = new AbortController();
  let stops: readonly SendStop[] = [];
  let reading: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  let failing = false;

  const isHalted = (alias: string) => {
    const halting = stopsOf(stops, alias);
    return halting.length > 0 && !halfOpen.allows(halting);
  };
  const readNow = async () => {
    try {
      const account = twilio.credentialsFingerprint();
      stops = (await listStops(db)).filter(({ scope, target }) => scope !== 'account' || target === account);
      await halfOpen.follow(stops);
      failing = false;
    } catch (error) {
      if (!failing) await breaker.report(error, 'stops could not be read: the last ones hold, and the claim decides');
      failing = true;
    }
    senders.followStops(isHalted);
    for (const scope of BREAKER_SCOPES) metrics.circuitOpen.set({ scope }, countBreakers(stops, scope));
  };
  const read = () => {
    reading ??= readNow().finally(() => {
      reading = undefined;
    });
    return reading;
  };
  const follow = async () => {
    while (await waited(READ_MS, stop.signal)) await read();
  };

  return {
    read: async () => {
      following ??= follow();
      await read();
    },
    isStopped: (asked) => stops.some(({ scope, target }) => scope === asked.scope && target === asked.target),
    enter: (alias) => {
      if (isHalted(alias)) return null;
      const halting = stopsOf(stops, alias);
      const probe = halting.length === 0 ? null : halfOpen.take(halting);
      // One message is enough: the worker stays paused until it was answered.
      if (probe !== null) senders.followStops(isHalted);
      return { probe };
    },
    close: async () => {
      stop.abort();
      await following;
    },
  };
}

/** The stops that keep all messages of a sender back. */
function stopsOf(stops: readonly SendStop[], alias: string): SendStop[] {
  return stops.filter(({ scope, target }) => scope === 'all' || scope === 'account' || (scope === 'sender' && target === alias));
}

function countBreakers(stops: readonly SendStop[], scope: (typeof BREAKER_SCOPES)[number]): number {
  return stops.filter((stop) => stop.source === 'breaker' && stop.scope === scope).length;
}
