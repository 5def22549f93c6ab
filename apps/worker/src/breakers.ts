import { openBreaker, type BreakerPause, type Database, type StopTarget } from '@tickmark/delivery';
import { decideOnFailure, decideOnRefusal, describeError } from '@tickmark/domain';
import type { Clock, Logger } from '@tickmark/runtime';
import type { FailureShares } from '@tickmark/queues';
import type { MessagesClient } from '@tickmark/twilio';
import { NO_SIGNALS, type MessageOrigin, type SendSignals } from './send-signals.ts';
import { keyOf, watchShares } from './watch-shares.ts';

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** A limit of WhatsApp (63018) passes by itself; how soon nobody tells, so each pause that was too short doubles the next. */
const SENDER_PAUSE: BreakerPause = { firstMs: 30 * SECOND_MS, longestMs: HOUR_MS, quietMs: HOUR_MS };

/** What a template or a campaign shows is not over soon, but nobody may be there to resume it. */
const CONTENT_PAUSE: BreakerPause = { firstMs: 15 * MINUTE_MS, longestMs: 8 * HOUR_MS, quietMs: HOUR_MS };

/** Failures of one thing come by the hundred; it is asked about this often. */
const ASK_AGAIN_MS = SECOND_MS;
const ASKED_MAX = 1_000;

export interface BreakersDeps {
  db: Pick<Database, 'sql'>;
  twilio: Pick<MessagesClient, 'credentialsFingerprint'>;
  failures: FailureShares;
  clock: Pick<Clock, 'monotonicMs'>;
  log: Logger;
  /** Whether such a stop counts, as far as this process knows. */
  isStopped: (target: StopTarget) => boolean;
  /** Called when a breaker was opened here, so that this process follows at once. */
  onOpened: () => void;
}

export interface Breakers {
  signals: SendSignals;
  /** Waits for what is being written. */
  close(): Promise<void>;
}

/**
 * Opens breakers by what calls and callbacks tell: an account, a sender or a template by its first error code of that kind, a campaign or a
 * template also when too many of its messages end badly. What is open is written in Postgres, where every claim sees it.
 */
export function createBreakers({ db, twilio, failures, clock, log, isStopped, onOpened }: BreakersDeps): Breakers {
  const asked = new Map<string, number>();
  const writing = new Set<Promise<void>>();

  const open = (target: StopTarget, errorCode: number, pause: BreakerPause | null) => {
    const key = `${keyOf(target)} ${pause === null ? 'repair' : 'pause'}`;
    const nowMs = clock.monotonicMs();
    if (nowMs - (asked.get(key) ?? Number.NEGATIVE_INFINITY) < ASK_AGAIN_MS) return;
    if (asked.size >= ASKED_MAX) asked.clear();
    asked.set(key, nowMs);
    follow(writeOpen(target, errorCode, pause));
  };
  const writeOpen = async (target: StopTarget, errorCode: number, pause: BreakerPause | null) => {
    const opened = await openBreaker(db, { ...target, errorCode, pause, reason: describeError(errorCode).meaning });
    if (opened === null) return;
    log.warn({ ...target, errorCode, ...opened }, 'circuit breaker opened');
    onOpened();
    // Redis away: the counts are forgotten by themselves in five minutes.
    if (target.scope === 'campaign' || target.scope === 'template') await failures.forget(keyOf(target)).catch(() => undefined);
  };
  const follow = (work: Promise<void>) => {
    const done = work
      .catch((error: unknown) => log.warn({ err: error }, 'a circuit breaker could not be opened: the next failure asks again'))
      .finally(() => writing.delete(done));
    writing.add(done);
  };

  const openFor = (code: number, scope: 'account' | 'sender' | 'template' | null, { sender, template }: MessageOrigin) => {
    if (scope === 'account') open({ scope, target: twilio.credentialsFingerprint() }, code, null);
    if (scope === 'sender' && sender !== null) open({ scope, target: sender }, code, isPassing(code) ? SENDER_PAUSE : null);
    if (scope === 'template' && template !== null) open({ scope, target: template }, code, CONTENT_PAUSE);
  };
  const shares = watchShares({ failures, isStopped, onTooMany: (target, errorCode) => open(target, errorCode, CONTENT_PAUSE) });

  return {
    signals: {
      ...NO_SIGNALS,
      refused: (code, origin) => openFor(code, decideOnRefusal(code).opens, origin),
      failedLater: (code, origin) => openFor(code, decideOnFailure(code).opens, origin),
      finished: (messages) => follow(shares.finished(messages)),
    },
    close: async () => {
      while (writing.size > 0) await Promise.all(writing);
    },
  };
}

/** Whether the condition ends by itself: then a pause is enough, and nothing has to be tried. */
function isPassing(code: number): boolean {
  return describeError(code).retry === 'backoff-long';
}
