import { endBreakerSoon, takeProbe, type Database, type SendStop } from '@tickmark/delivery';
import { decideOnRefusal, type SendOutcome } from '@tickmark/domain';
import type { Clock, Logger } from '@tickmark/runtime';

/** How often a breaker that waits for a repair is tried with one message. */
const PROBE_EVERY_MS = 300_000;

/** How long a breaker stays after its probe got through: some errors are told only after Twilio has taken the message. */
const PROBATION_MS = 30_000;

export interface HalfOpenSettings {
  probeEveryMs?: number;
  probationMs?: number;
}

/** Leave for one call although breakers are open, to see whether they still have to be. */
export interface Probe {
  /** To be told what came of the call. Nobody waits for what follows from it. */
  answered(outcome: SendOutcome): void;
  /** To be called when the job has ended: a probe without a call may be used by another message. */
  end(): void;
}

export interface HalfOpen {
  /** Takes turns for the breakers that are due, of those that count now. */
  follow(stops: readonly SendStop[]): Promise<void>;
  /** Whether one message may pass these stops, all that keep it back: each waits for a repair, and one of them is to be tried now. */
  allows(stops: readonly SendStop[]): boolean;
  /** Takes that leave. Only after `allows`. */
  take(stops: readonly SendStop[]): Probe;
}

/**
 * Half-open breakers: of all processes one has the turn, and lets one message at a time through until its call was answered. Success lets the
 * breaker end; anything else leaves it as it is until the next turn. A message that account and sender keep back tries both in one turn.
 */
export function createHalfOpen(
  { db, clock, log }: { db: Pick<Database, 'sql'>; clock: Clock; log: Logger },
  { probeEveryMs = PROBE_EVERY_MS, probationMs = PROBATION_MS }: HalfOpenSettings,
): HalfOpen {
  /** Turns of this process, and until when: by then another process may have one. */
  const turns = new Map<string, { untilMs: number; inUse: boolean }>();
  const keyOf = ({ scope, target }: SendStop) => `${scope} ${target}`;

  const turnsOf = (stops: readonly SendStop[]) => stops.flatMap((stop) => turns.get(keyOf(stop)) ?? []);

  const startTurn = async (stop: SendStop) => {
    // Before the question: the turn must end here before another process can get one.
    const untilMs = clock.monotonicMs() + probeEveryMs;
    if (!(await takeProbe(db, stop, probeEveryMs))) return;
    turns.set(keyOf(stop), { untilMs, inUse: false });
    log.info({ scope: stop.scope, target: stop.target, errorCode: stop.errorCode }, 'circuit breaker is tried with one message');
  };

  const endSoon = async (stop: SendStop) => {
    const { scope, target, errorCode } = stop;
    try {
      if (await endBreakerSoon(db, stop, probationMs))
        log.warn({ scope, target, errorCode }, 'circuit breaker ends: its probe got through');
    } catch (error) {
      log.warn({ err: error, scope, target }, 'a circuit breaker could not be ended: it is tried again');
    }
  };

  return {
    follow: async (stops) => {
      const waiting = stops.filter(waitsForRepair);
      const open = new Set(waiting.map(keyOf));
      for (const [key, { untilMs }] of turns) if (!open.has(key) || untilMs <= clock.monotonicMs()) turns.delete(key);
      for (const stop of waiting) if (isDue(stop, probeEveryMs, clock.now().getTime()) && !turns.has(keyOf(stop))) await startTurn(stop);
    },
    allows: (stops) => stops.every(waitsForRepair) && turnsOf(stops).some(({ inUse, untilMs }) => !inUse && untilMs > clock.monotonicMs()),
    take: (stops) => {
      const taken = turnsOf(stops).filter(({ inUse }) => !inUse);
      for (const turn of taken) turn.inUse = true;
      return {
        answered: (outcome) => {
          for (const stop of stops) turns.delete(keyOf(stop));
          for (const stop of stops.filter((tried) => provesRepair(tried, outcome))) void endSoon(stop);
        },
        end: () => {
          for (const turn of taken) turn.inUse = false;
        },
      };
    },
  };
}

/** A pause that ends by its time is not tried, and an operator's stop is an operator's. */
function waitsForRepair({ scope, source, until }: SendStop): boolean {
  return source === 'breaker' && until === null && (scope === 'account' || scope === 'sender');
}

/** How far clocks may differ before a breaker is tried later than it could be. */
const SKEW_MS = 5_000;

/** By this process's clock, and only to spare the database the question: it decides by its own. */
function isDue({ openedAt, probedAt }: SendStop, probeEveryMs: number, nowMs: number): boolean {
  return nowMs - Math.max(openedAt.getTime(), probedAt?.getTime() ?? 0) > probeEveryMs - SKEW_MS;
}

/** Whoever was let in and told something about one message has no trouble with the account; a sender is proven by a message alone. */
function provesRepair({ scope }: SendStop, outcome: SendOutcome): boolean {
  if (outcome.kind === 'accepted') return true;
  return scope === 'account' && outcome.kind === 'rejected' && decideOnRefusal(outcome.errorCode).opens !== 'account';
}
