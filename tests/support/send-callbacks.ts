import { spawnProcess } from '@tickmark/testing';

export interface SentCallback {
  path: string;
  params: Record<string, string>;
}

export interface CallbackPlan {
  /** In the order in which they are sent, each once. */
  callbacks: SentCallback[];
  publicBaseUrl: string;
  targetUrl: string;
  token: string;
}

/** The next callbacks of the plan, and when. */
export interface LoadOrder {
  label: string;
  count: number;
  perSecond: number;
}

export interface Answered {
  /** Of the callback, in the plan. */
  index: number;
  /** Null: no answer within what Twilio waits. */
  status: number | null;
  ms: number;
}

export interface OrderDone {
  done: string;
  answers: Answered[];
}

export interface CallbackLoad {
  /** @returns what became of each, once that is known of all. Labels differ from order to order */
  send(order: LoadOrder): Promise<Answered[]>;
  stop(): Promise<unknown>;
}

/** A process of its own that sends the callbacks of a plan and repeats none. */
export function startCallbackLoad(plan: CallbackPlan): CallbackLoad {
  const load = spawnProcess({ entry: 'tests/support/callback-load.ts', name: 'callback-load' });
  load.send(plan);
  return {
    async send(order) {
      load.send(order);
      const isDone = (message: unknown): message is OrderDone => (message as OrderDone).done === order.label;
      return ((await load.waitForMessage(isDone, { timeoutMs: 300_000 })) as OrderDone).answers;
    },
    stop: () => load.kill(),
  };
}
