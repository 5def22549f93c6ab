import type { Clock } from '@tickmark/runtime';

/** The longest that a job waits for a slot. It holds nothing yet, so it can as well wait in Redis, where another process finds it. */
const WAIT_MS_MAX = 1_000;

/** Part of the slots that is kept for senders that have none. */
const RESERVE = 1 / 2;

/** Gives the slot back; once is enough, more does nothing. */
export type ReleaseSlot = () => void;

export interface SendSlots {
  /** From now on the sender's first slot is kept for it. */
  addSender(alias: string): void;
  /** Takes one slot of the sender, which is leave for one call. @returns null when none came free within a second. */
  take(alias: string): Promise<ReleaseSlot | null>;
  /** How many calls may be under way from now on; those that are too many end by themselves. */
  setCapacity(capacity: number): void;
  /** How many jobs the sender should have taken from its queue: one more than it can call for, so that no call waits for a job. */
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
  readonly grant: (release: ReleaseSlot) => void;
}

interface SenderSlots {
  taken: number;
  readonly waiters: Set<Waiter>;
  jobsMax: number;
}

class Slots implements SendSlots {
  readonly #options: SendSlotsOptions;
  readonly #senders = new Map<string, SenderSlots>();
  #capacity: number;
  #taken = 0;

  constructor(options: SendSlotsOptions) {
    this.#options = options;
    this.#capacity = options.capacity;
  }

  addSender(alias: string): void {
    this.#senderOf(alias);
  }

  async take(alias: string): Promise<ReleaseSlot | null> {
    const sender = this.#senderOf(alias);
    if (sender.waiters.size > 0 || !this.#isFree(sender)) return this.#wait(sender);
    const release = this.#takeNow(sender);
    this.#tellJobsMax();
    return release;
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
    const sender = { taken: 0, waiters: new Set<Waiter>(), jobsMax: 0 };
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

  #wait(sender: SenderSlots): Promise<ReleaseSlot | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        sender.waiters.delete(waiter);
        resolve(null);
      }, WAIT_MS_MAX);
      const grant = (release: ReleaseSlot) => {
        clearTimeout(timer);
        resolve(release);
      };
      const waiter: Waiter = { sinceMs: this.#options.clock.monotonicMs(), grant };
      sender.waiters.add(waiter);
    });
  }

  #takeNow(sender: SenderSlots): ReleaseSlot {
    sender.taken += 1;
    this.#taken += 1;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      sender.taken -= 1;
      this.#taken -= 1;
      this.#serveWaiters();
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
    const more = Math.max(1, this.#shared());
    for (const [alias, sender] of this.#senders) {
      const jobsMax = sender.taken + more;
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
