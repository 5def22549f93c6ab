import type { Clock } from '@tickmark/runtime';

/** The longest that a job waits for a slot. It holds nothing yet, so it can as well wait in Redis, where another process finds it. */
const WAIT_MS_MAX = 1_000;

/** Part of the slots that is kept for senders that have none. */
const RESERVE = 1 / 2;

/**
 * What all processes together have taken from a sender's queue and not called for yet, as a time of its pace. Longer than a claim takes, or
 * they would send too slowly; not much longer, because after a moment in which the database said nothing all of it leaves at once, on top
 * of the pace.
 */
const AHEAD_SECONDS = 0.1;

/** Leave for one call. */
export interface SendSlot {
  /** To be called when the call begins: its place in the pace is used, and the next job may be taken. */
  calling(): void;
  /** Gives the slot back; once is enough, more does nothing. */
  release(): void;
}

export interface SendSlots {
  /** From now on the sender's first slot is kept for it, and no more jobs are taken than its pace needs. */
  setPace(alias: string, mps: number): void;
  /** Takes one slot of the sender. @returns null when none came free within a second. */
  take(alias: string): Promise<SendSlot | null>;
  /** How many processes share the pace of each sender. */
  setProcesses(processes: number): void;
  /** How many calls may be under way from now on; those that are too many end by themselves. */
  setCapacity(capacity: number): void;
  /**
   * How many jobs the sender should have taken from its queue: those that are called for, and some ahead. Ahead are as many as its pace needs,
   * and one more than there are slots at most, so that no call waits for a job.
   */
  jobsMax(alias: string): number;
  /** Slots taken at the moment, over all senders. */
  taken(): number;
}

export interface SendSlotsOptions {
  capacity: number;
  clock: Pick<Clock, 'monotonicMs'>;
  /** Told whenever a sender's `jobsMax` has changed. */
  onJobsMax: (alias: string, jobsMax: number) => void;
}

/**
 * The create calls that this process may have under way, shared by its senders: never more than the capacity.
 *
 * One sender may use all that nobody else wants, except for a first slot of each of the others (at most half of all slots are kept for that:
 * with more senders than those, the first slots are shared too). What comes free goes to the sender that has fewest, then to the one that
 * has waited longest. So a slow sender delays no other one for long, and no slot is idle while a job waits.
 */
export function createSendSlots(options: SendSlotsOptions): SendSlots {
  return new Slots(options);
}

interface Waiter {
  readonly sinceMs: number;
  readonly grant: (slot: SendSlot) => void;
}

interface SenderSlots {
  mps: number;
  taken: number;
  /** Of those taken. */
  calling: number;
  readonly waiters: Set<Waiter>;
  jobsMax: number;
}

class Slots implements SendSlots {
  readonly #options: SendSlotsOptions;
  readonly #senders = new Map<string, SenderSlots>();
  #capacity: number;
  #processes = 1;
  #taken = 0;

  constructor(options: SendSlotsOptions) {
    this.#options = options;
    this.#capacity = options.capacity;
  }

  setPace(alias: string, mps: number): void {
    this.#senderOf(alias).mps = mps;
    this.#tellJobsMax();
  }

  async take(alias: string): Promise<SendSlot | null> {
    const sender = this.#senderOf(alias);
    if (sender.waiters.size > 0 || !this.#isFree(sender)) return this.#wait(sender);
    const slot = this.#takeNow(sender);
    this.#tellJobsMax();
    return slot;
  }

  setProcesses(processes: number): void {
    this.#processes = Math.max(1, processes);
    this.#tellJobsMax();
  }

  setCapacity(capacity: number): void {
    this.#capacity = Math.max(1, capacity);
    this.#serveWaiters();
  }

  jobsMax(alias: string): number {
    return this.#senderOf(alias).jobsMax;
  }

  taken(): number {
    return this.#taken;
  }

  #senderOf(alias: string): SenderSlots {
    const known = this.#senders.get(alias);
    if (known !== undefined) return known;
    const sender = { mps: Number.POSITIVE_INFINITY, taken: 0, calling: 0, waiters: new Set<Waiter>(), jobsMax: 0 };
    this.#senders.set(alias, sender);
    this.#tellJobsMax();
    return sender;
  }

  #isFree(sender: SenderSlots): boolean {
    return sender.taken === 0 ? this.#taken < this.#capacity : this.#shared() > 0;
  }

  /** Free slots that a sender which has some already may take. */
  #shared(): number {
    let idle = 0;
    for (const sender of this.#senders.values()) if (sender.taken === 0) idle += 1;
    return this.#capacity - this.#taken - Math.min(idle, Math.floor(this.#capacity * RESERVE));
  }

  #wait(sender: SenderSlots): Promise<SendSlot | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        sender.waiters.delete(waiter);
        resolve(null);
      }, WAIT_MS_MAX);
      const grant = (slot: SendSlot) => {
        clearTimeout(timer);
        resolve(slot);
      };
      const waiter: Waiter = { sinceMs: this.#options.clock.monotonicMs(), grant };
      sender.waiters.add(waiter);
    });
  }

  #takeNow(sender: SenderSlots): SendSlot {
    sender.taken += 1;
    this.#taken += 1;
    let state: 'taken' | 'calling' | 'given back' = 'taken';
    return {
      calling: () => {
        if (state !== 'taken') return;
        state = 'calling';
        sender.calling += 1;
        this.#tellJobsMax();
      },
      release: () => {
        if (state === 'given back') return;
        if (state === 'calling') sender.calling -= 1;
        state = 'given back';
        sender.taken -= 1;
        this.#taken -= 1;
        this.#serveWaiters();
      },
    };
  }

  #serveWaiters(): void {
    for (let sender = this.#nextToServe(); sender !== undefined; sender = this.#nextToServe()) {
      const [waiter] = sender.waiters;
      if (waiter === undefined) break;
      sender.waiters.delete(waiter);
      waiter.grant(this.#takeNow(sender));
    }
    this.#tellJobsMax();
  }

  #nextToServe(): SenderSlots | undefined {
    let next: SenderSlots | undefined;
    for (const sender of this.#senders.values()) {
      if (sender.waiters.size > 0 && this.#isFree(sender) && (next === undefined || goesBefore(sender, next))) next = sender;
    }
    return next;
  }

  #tellJobsMax(): void {
    // One more than there are slots, all the time: a number that fell whenever jobs end together would keep BullMQ from giving each of them
    // the next job in the same round trip, and one round trip after the other takes twice as long in all.
    const free = Math.max(0, this.#shared()) + 1;
    for (const [alias, sender] of this.#senders) {
      const ahead = Math.min(sender.taken - sender.calling + free, Math.ceil((sender.mps * AHEAD_SECONDS) / this.#processes));
      const jobsMax = sender.calling + Math.max(1, ahead);
      if (jobsMax === sender.jobsMax) continue;
      sender.jobsMax = jobsMax;
      this.#options.onJobsMax(alias, jobsMax);
    }
  }
}

/** Fewest slots first, then the longest wait. */
function goesBefore(a: SenderSlots, b: SenderSlots): boolean {
  if (a.taken !== b.taken) return a.taken < b.taken;
  return waitingSinceMs(a) < waitingSinceMs(b);
}

function waitingSinceMs({ waiters }: SenderSlots): number {
  const [first] = waiters;
  return first?.sinceMs ?? Number.POSITIVE_INFINITY;
}
