import { listStops, type Database, type SendStop } from '@tickmark/delivery';
import type { Logger, Metrics } from '@tickmark/runtime';
import type { MessagesClient } from '@tickmark/twilio';
import type { SenderWorkers } from './sender-workers.ts';
import { waited } from './waited.ts';

const READ_MS = 1_000;

/** What a breaker can be about; the closed set of the metric's label. */
const BREAKER_SCOPES = ['account', 'sender', 'campaign', 'template'] as const;

export interface FollowStopsDeps {
  db: Pick<Database, 'sql'>;
  twilio: Pick<MessagesClient, 'credentialsFingerprint'>;
  senders: Pick<SenderWorkers, 'followStops'>;
  metrics: Pick<Metrics, 'circuitOpen'>;
  log: Logger;
}

export interface FollowedStops {
  /**
   * Reads the stops, and from the first call on once a second. Of many calls at once one reads.
   */
  read(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Pauses this process's workers of what is stopped, and resumes them: the claim decides whatever is known here, this only saves jobs from
 * being taken and put off one by one. Read once a second; while Postgres is away, what was known last holds.
 *
 * Campaigns and templates are no worker's: their messages are parked by the claim.
 */
export function followStops(deps: FollowStopsDeps): FollowedStops {
  const { db, twilio, senders, metrics, log } = deps;
  const stop = new AbortController();
  let reading: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  let failing = false;

  const readNow = async () => {
    try {
      const account = twilio.credentialsFingerprint();
      const stops = (await listStops(db)).filter(({ scope, target }) => scope !== 'account' || target === account);
      senders.followStops(stoppedSenders(stops));
      for (const scope of BREAKER_SCOPES) metrics.circuitOpen.set({ scope }, countBreakers(stops, scope));
      failing = false;
    } catch (error) {
      if (!failing) log.warn({ err: error }, 'stops could not be read: the last ones hold, and the claim decides');
      failing = true;
    }
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
    close: async () => {
      stop.abort();
      await following;
    },
  };
}

/** @returns the aliases that may not send, or `all` */
function stoppedSenders(stops: readonly SendStop[]): ReadonlySet<string> | 'all' {
  if (stops.some(({ scope }) => scope === 'all' || scope === 'account')) return 'all';
  return new Set(stops.filter(({ scope }) => scope === 'sender').map(({ target }) => target));
}

function countBreakers(stops: readonly SendStop[], scope: (typeof BREAKER_SCOPES)[number]): number {
  return stops.filter((stop) => stop.source === 'breaker' && stop.scope === scope).length;
}
