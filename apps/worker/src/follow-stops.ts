import { listStops, type Database, type SendStop, type StopTarget } from '@tickmark/delivery';
import type { Producers } from '@tickmark/queues';
import type { Clock, Logger, Metrics } from '@tickmark/runtime';
import type { MessagesClient } from '@tickmark/twilio';
import type { DatabaseBreaker } from './database-breaker.ts';
import { createHalfOpen, type HalfOpenSettings, type Probe } from './half-open.ts';
import type { SenderWorkers } from './sender-workers.ts';
import { waited } from './waited.ts';

const READ_MS = 1_000;

/** After an outage a STOP may wait among inbound messages of that age: nobody is written to before they are stored. */
const INBOUND_AGE_MS_MAX = 60_000;

/** What a breaker can be about: with `inbound` for messages that are not stored yet, the closed set of the metric's label. */
const BREAKER_SCOPES = ['account', 'sender', 'campaign', 'template'] as const;

export interface FollowStopsDeps {
  db: Pick<Database, 'sql'>;
  producers: Pick<Producers, 'oldestInboundAgeMs'>;
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
 * being taken and put off one by one. Read once a second; while Postgres is away, what was known last holds. Nor is anything sent while inbound
 * messages wait that are older than a minute.
 *
 * Campaigns and templates are no worker's: their messages are parked by the claim.
 */
export function followStops(deps: FollowStopsDeps, settings: HalfOpenSettings): FollowedStops {
  const { db, producers, breaker, twilio, senders, metrics, log } = deps;
  const halfOpen = createHalfOpen(deps, settings);
  const stop = new AbortController();
  let stops: readonly SendStop[] = [];
  let reading: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  let failing = false;
  let isInboundBehind = false;

  const isHalted = (alias: string) => {
    if (isInboundBehind) return true;
    const halting = stopsOf(stops, alias);
    return halting.length > 0 && !halfOpen.allows(halting);
  };
  const readInbound = async () => {
    // Without Redis nothing is sent either: what was known last holds.
    const ageMs = await producers.oldestInboundAgeMs().catch(() => undefined);
    if (ageMs === undefined || ageMs > INBOUND_AGE_MS_MAX === isInboundBehind) return;
    isInboundBehind = !isInboundBehind;
    if (isInboundBehind) log.warn({ ageMs }, 'sending pauses: inbound messages are not stored yet, and a STOP may be among them');
    else log.info('sending goes on: inbound messages are stored');
  };
  const readStops = async () => {
    try {
      const account = twilio.credentialsFingerprint();
      stops = (await listStops(db)).filter(({ scope, target }) => scope !== 'account' || target === account);
      await halfOpen.follow(stops);
      failing = false;
    } catch (error) {
      if (!failing) await breaker.report(error, 'stops could not be read: the last ones hold, and the claim decides');
      failing = true;
    }
  };
  const readNow = async () => {
    await Promise.all([readStops(), readInbound()]);
    senders.followStops(isHalted);
    for (const scope of BREAKER_SCOPES) metrics.circuitOpen.set({ scope }, countBreakers(stops, scope));
    metrics.circuitOpen.set({ scope: 'inbound' }, Number(isInboundBehind));
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
