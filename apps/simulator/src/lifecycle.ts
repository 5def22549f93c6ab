import { randomUUID } from 'node:crypto';
import type { CallbackSender } from './callback-sender.ts';
import { statusCallbackParams } from './callback-params.ts';
import type { Ledger } from './ledger.ts';
import type { SimulatedMessage } from './message-store.ts';
import type { Plan, PlannedStep } from './plan.ts';

/** Takes messages along their plans and tells of every step. */
export interface Lifecycle {
  /** Begins after `waitMs`; the first step's own delay comes on top. */
  start(message: SimulatedMessage, plan: Plan, waitMs?: number): void;
  /**
   * Takes every step up to the first one with a callback at once, and waits until that callback was delivered or given up.
   *
   * @returns what `start` has to go on with.
   */
  hasten(message: SimulatedMessage, plan: Plan): Promise<Plan>;
  /** Ends a message's way and tells of it. */
  cancel(message: SimulatedMessage): void;
  /** No further step is taken. */
  close(): void;
}

export interface LifecycleDeps {
  accountSid: string;
  sender: Pick<CallbackSender, 'send'>;
  ledger: Pick<Ledger, 'recordCallback'>;
  /** Called when a message gets its sender. */
  chooseSender: (message: SimulatedMessage) => string | null;
  nowMs: () => number;
}

/** setTimeout counts in 32 bits. */
const TIMER_MS_MAX = 2_147_483_647;
const CANCELED: PlannedStep = { status: 'canceled', callback: 'canceled', errorCode: null, delayMs: 0 };

export function createLifecycle(deps: LifecycleDeps): Lifecycle {
  let closed = false;

  /** Sends the callback of a step, once or twice, or not at all. */
  const tell = async (message: SimulatedMessage, plan: Plan, step: PlannedStep): Promise<void> => {
    if (step.callback === null || message.statusCallback === null) return;
    if (plan.drop(step)) {
      deps.ledger.recordCallback({ sid: message.sid, status: step.callback, at: deps.nowMs(), httpStatus: null, tries: 0 });
      return;
    }
    const params = statusCallbackParams(message, step.callback, step.errorCode, deps.accountSid);
    const webhook = { url: message.statusCallback, params, token: randomUUID() };
    const sendOnce = async (status: string) => {
      const at = deps.nowMs();
      deps.ledger.recordCallback({ sid: message.sid, status, at, ...(await deps.sender.send(webhook)) });
    };
    await Promise.all(plan.duplicate(step) ? [sendOnce(step.callback), sendOnce(step.callback)] : [sendOnce(step.callback)]);
  };

  const take = (message: SimulatedMessage, { status, errorCode }: PlannedStep) => {
    if (status === null) return;
    message.status = status;
    message.errorCode = errorCode;
    message.updatedAt = deps.nowMs();
    message.from ??= deps.chooseSender(message);
    if (status === 'sent' || status === 'read' || status === 'delivered') message.sentAt ??= message.updatedAt;
  };

  const run = (message: SimulatedMessage, plan: Plan, index: number, kept: (() => Promise<void>)[]) => {
    const step = plan.steps[index];
    if (!step) {
      void sendInTurn(kept.toReversed());
      return;
    }
    later(step.delayMs, () => {
      if (closed || message.status === 'canceled') return;
      take(message, step);
      // The parameters of a callback that is kept back are made later, but from the step's own status and code.
      if (plan.reorder) kept.push(() => tell(message, plan, step));
      else void tell(message, plan, step);
      run(message, plan, index + 1, kept);
    });
  };

  return {
    start: (message, plan, waitMs = 0) => {
      if (waitMs > 0) later(waitMs, () => run(message, plan, 0, []));
      else run(message, plan, 0, []);
    },
    hasten: async (message, plan) => {
      const index = plan.steps.findIndex(({ callback }) => callback !== null);
      const step = plan.steps[index];
      if (!step) return plan;
      for (const early of plan.steps.slice(0, index + 1)) take(message, early);
      await tell(message, plan, step);
      return { ...plan, steps: plan.steps.slice(index + 1) };
    },
    cancel: (message) => {
      take(message, CANCELED);
      void tell(message, { steps: [], drop: () => false, duplicate: () => false, reorder: false, beforeAnswer: false }, CANCELED);
    },
    close: () => {
      closed = true;
    },
  };
}

async function sendInTurn(sends: (() => Promise<void>)[]): Promise<void> {
  for (const send of sends) await send();
}

/** A timer of any length that keeps no process alive. */
function later(delayMs: number, act: () => void): void {
  const rest = delayMs - TIMER_MS_MAX;
  setTimeout(rest > 0 ? () => later(rest, act) : act, Math.min(delayMs, TIMER_MS_MAX)).unref();
}
