import { chanceOf } from './fate.ts';
import { DELIVERED_AND_READ, type Behaviour, type Step } from './magic-recipients.ts';
import type { Settings } from './settings.ts';

/** One step of a message's way, to be taken so long after the one before it. */
export interface PlannedStep {
  /** What the resource's status becomes; null when only a callback is sent. */
  status: string | null;
  /** What the callback says; null when none is sent. */
  callback: string | null;
  errorCode: number | null;
  delayMs: number;
}

export interface Plan {
  steps: readonly PlannedStep[];
  duplicate(step: PlannedStep): boolean;
  drop(step: PlannedStep): boolean;
  /** Callbacks are kept back and sent last one first. */
  reorder: boolean;
  /** The first callback comes before the answer to create. */
  beforeAnswer: boolean;
}

export interface PlanInput {
  fate: number;
  behaviour: Behaviour;
  template: boolean;
  /** A Messaging Service chooses the sender: the step to `queued` is told by a callback. */
  viaService: boolean;
  /** Whether the recipient wrote in during the last 24 hours. */
  windowOpen: boolean;
  /** Time in the sender's queue; null = the queue is full. */
  queueWaitMs: number | null;
  validityPeriodSeconds: number | null;
}

const OUTSIDE_WINDOW = 63016;
const QUEUE_OVERFLOW = 30001;
const VALIDITY_EXPIRED = 30036;

/** Everything that will happen to one message, decided when it is created. */
export function planMessage(input: PlanInput, settings: Settings): Plan {
  const { fate, behaviour } = input;
  const { callbacks, seed } = settings;
  return {
    steps: planSteps(input, settings),
    duplicate: (step) => behaviour.callbacks?.duplicate ?? chanceOf(seed, fate, `duplicate ${step.callback}`) < callbacks.duplicate,
    drop: (step) => behaviour.callbacks?.drop ?? chanceOf(seed, fate, `drop ${step.callback}`) < callbacks.drop,
    reorder: behaviour.callbacks?.reorder ?? chanceOf(seed, fate, 'reorder') < callbacks.reorder,
    beforeAnswer: behaviour.callbacks?.beforeAnswer ?? chanceOf(seed, fate, 'before answer') < callbacks.beforeAnswer,
  };
}

function planSteps(input: PlanInput, settings: Settings): PlannedStep[] {
  const { statusDelayMs } = settings;
  const { behaviour, template, queueWaitMs, validityPeriodSeconds } = input;
  const queued: PlannedStep[] = input.viaService
    ? [{ status: 'queued', callback: 'queued', errorCode: null, delayMs: statusDelayMs.queued }]
    : [];
  if (queueWaitMs === null) return [...queued, failure(QUEUE_OVERFLOW, statusDelayMs.sending)];
  if (validityPeriodSeconds !== null && queueWaitMs > validityPeriodSeconds * 1000) {
    return [...queued, failure(VALIDITY_EXPIRED, validityPeriodSeconds * 1000)];
  }
  const own = behaviour.templatesOnly && !template ? undefined : behaviour.steps;
  if (own?.length === 0) return queued;
  const outcome = own ?? DELIVERED_AND_READ;
  const sending: PlannedStep = { status: 'sending', callback: null, errorCode: null, delayMs: statusDelayMs.sending + queueWaitMs };
  // A code that the recipient stands for is kept, so that the table holds whether somebody wrote in or not.
  const standsForCode = outcome.some((step) => 'errorCode' in step);
  if (settings.windowGuard && !template && !input.windowOpen && !standsForCode) {
    return [...queued, sending, failure(OUTSIDE_WINDOW, statusDelayMs.sent)];
  }
  return [...queued, sending, ...outcome.map((step) => toPlanned(step, settings))];
}

function failure(errorCode: number, delayMs: number): PlannedStep {
  return { status: 'failed', callback: 'failed', errorCode, delayMs };
}

function toPlanned(step: Step, { statusDelayMs }: Settings): PlannedStep {
  if ('word' in step) return { status: null, callback: step.word, errorCode: null, delayMs: statusDelayMs.sent };
  // What fails instead of being sent, or instead of being delivered, does so at that moment.
  const stage = step.status === 'failed' ? 'sent' : step.status === 'undelivered' ? 'delivered' : step.status;
  return { status: step.status, callback: step.status, errorCode: step.errorCode ?? null, delayMs: statusDelayMs[stage] };
}
