import { randomUUID } from 'node:crypto';
import { releaseClaim, type ClaimAnswer, type Database } from '@tickmark/delivery';
import type { SendOutcome } from '@tickmark/domain';
import type { Clock, Failpoints, Logger, Metrics } from '@tickmark/runtime';
import { done, snooze, type Outcome, type Producers, type SendPayload } from '@tickmark/queues';
import type { MessagesClient } from '@tickmark/twilio';
import { countMessageError } from '../count-message-error.ts';
import { claimOrLetGo, handBack, recordOrHandOver } from '../hand-over.ts';
import { isDatabaseAway } from '../is-database-away.ts';
import type { CallPass } from '../pass-gates.ts';
import type { RecordBatches } from '../record-batches.ts';
import { repeatUntilWritten } from '../repeat-until-written.ts';
import { reportRecorded } from '../report-recorded.ts';
import type { SendSignals } from '../send-signals.ts';
import { ENQUEUE_AHEAD_MS } from '../to-send-job.ts';

/** Longest time from asking for the claim to the call. Beyond it the claim may soon be judged stale, so the call is not made. */
const CLAIM_TO_CALL_MS_MAX = 5_000;

/** How long a message under a stop is left alone, so that it leaves soon after the stop has ended. */
const STOPPED_MS_MAX = 5_000;

/** A wake-up a moment after a row is due, so that the claim does not come a moment before. */
const WAKE_UP_MARGIN_MS = 50;

export interface SendMessageDeps {
  db: Database;
  batches: RecordBatches;
  producers: Pick<Producers, 'addSendOutcome'>;
  twilio: MessagesClient;
  signals: SendSignals;
  failpoints: Failpoints;
  clock: Clock;
  metrics: Metrics;
  log: Logger;
}

type Claimed = Extract<ClaimAnswer, { kind: 'claimed' }>;

/** One message: claim its row, call Twilio once, record what came of it. Only a claim that was granted leads to a call. */
export function createSendMessageProcessor(deps: SendMessageDeps) {
  const { failpoints, clock } = deps;
  return async function sendMessage({ id }: SendPayload, pass: CallPass): Promise<Outcome> {
    // Made once per run and repeated with it: a claim whose answer was lost is granted again to the same token.
    const token = randomUUID();
    const elapsedMs = startStopwatch(clock);
    const answer = await claimOrLetGo(deps, { id, token, probe: pass.probe !== null });
    if (answer.kind !== 'claimed') return endWithoutCall(deps, answer);
    await failpoints.reach('after-claim');
    await failpoints.reach('before-post');
    if (elapsedMs() > CLAIM_TO_CALL_MS_MAX) return giveBack(deps, id, token);

    pass.calling();
    const outcome = await callTwilio(deps, answer);
    await failpoints.reach('after-post');
    pass.probe?.answered(outcome);
    await failpoints.reach('before-record');
    const { sender, request } = answer;
    const call = { id, attempt: request.attempt, token, sender, priority: request.priority, outcome };
    const recorded = await recordOrHandOver(deps, call);
    await failpoints.reach('after-record');
    const dueAt = recorded === null ? null : reportRecorded(deps, call, recorded);
    return dueAt === null ? done() : comeBack(dueAt, clock);
  };
}

function endWithoutCall({ clock, metrics }: SendMessageDeps, answer: Exclude<ClaimAnswer, Claimed>): Outcome {
  if (answer.kind === 'not_due') return comeBack(answer.dueAt, clock);
  if (answer.kind === 'stopped') {
    return snooze(Math.min(answer.untilMs ?? Infinity, clock.now().getTime() + STOPPED_MS_MAX) + WAKE_UP_MARGIN_MS);
  }
  if (answer.kind === 'ended' && answer.byClaim) {
    metrics.messageStatus.inc({ status: answer.status });
    if (answer.status === 'failed' && answer.errorCode !== null) countMessageError(metrics, answer.errorCode);
  }
  // A parked row gets a job from the sweeper when its stop has ended. `ended` and `not_mine` are someone else's work, done or under way.
  return done();
}

/** A row that is due much later gets a new job from the sweeper when its time comes, as every such row does. */
function comeBack(dueAt: Date, clock: Clock): Outcome {
  const wakeUpMs = dueAt.getTime() + WAKE_UP_MARGIN_MS;
  return wakeUpMs - clock.now().getTime() > ENQUEUE_AHEAD_MS ? done() : snooze(wakeUpMs);
}

/** The greater of both clocks: the monotonic one stands still while a machine sleeps, the other one can be set back. */
function startStopwatch(clock: Clock): () => number {
  const monotonicMs = clock.monotonicMs();
  const wallMs = clock.now().getTime();
  return () => Math.max(clock.monotonicMs() - monotonicMs, clock.now().getTime() - wallMs);
}

async function giveBack(deps: SendMessageDeps, id: string, token: string): Promise<Outcome> {
  const { db, clock, log } = deps;
  try {
    const [released] = await repeatUntilWritten(() => releaseClaim(db, [{ id, token }]), clock);
    log.warn({ messageId: id, released: released?.ok === true && released.value.released }, 'claim given back: too late to call');
  } catch (error) {
    if (!isDatabaseAway(error)) throw error;
    await handBack(deps, { id, token });
  }
  return snooze(clock.now().getTime() + WAKE_UP_MARGIN_MS);
}

async function callTwilio(deps: SendMessageDeps, { request, sender, campaign }: Claimed): Promise<SendOutcome> {
  const { twilio, signals, clock, metrics, log } = deps;
  const startedMs = clock.monotonicMs();
  const outcome = await twilio.create(request);
  const durationMs = Math.round(clock.monotonicMs() - startedMs);
  metrics.sendDuration.observe(durationMs / 1000);
  metrics.sendAttempts.inc({ sender, outcome: outcome.kind });
  if (outcome.kind === 'throttled' && outcome.httpStatus === 429) {
    metrics.rateLimited.inc({ sender });
    signals.throttled(sender, outcome.retryAfterMs);
  }
  // Before the record, so that a breaker opens as early as can be.
  if (outcome.kind === 'rejected') signals.refused(outcome.errorCode, { sender, template: request.contentSid, campaign });
  const { messageId, attempt } = request;
  const { kind, httpStatus, errorCode, requestId } = outcome;
  log.debug({ messageId, attempt, sender, outcome: kind, httpStatus, errorCode, requestId, durationMs }, 'twilio called');
  return outcome;
}
