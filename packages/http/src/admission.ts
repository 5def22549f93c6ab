/** Who gives way under load: `bulk` before all others, `first` those who can repeat, `last` those who hardly do (webhooks), `never` health. */
export type Shed = 'bulk' | 'first' | 'last' | 'never';

export type ShedReason = 'in_flight' | 'bytes' | 'event_loop';

/**
 * Share of `inFlightMax` up to which a late event loop refuses nobody: with so few requests the lateness is not of their making (a start,
 * a neighbour on the machine), and refusing them would not end it.
 */
const CALM_SHARE = 0.1;

/** Of each limit: a class always finds what the one before may not take. */
const SHARES = { bulk: 0.5, first: 1, last: 2, never: Infinity } as const satisfies Record<Shed, number>;

export interface AdmissionLimits {
  /** Requests under way before those that give way first are refused. */
  inFlightMax: number;
  /** Sum of the bytes that they hold; the same. */
  bytesMax: number;
}

/** What is under way in a process. A request that was let in leaves when its answer is out; one that was refused counts for nothing. */
export interface Admission {
  /** @returns why the request must be refused, or null */
  enter(shed: Shed, bytes: number): ShedReason | null;
  leave(bytes: number): void;
}

/**
 * Bounds what is under way: half of all that there is for `first` (of that again half for `bulk`), all of it for `last`.
 *
 * @param deps.isLate whether the event loop answers too late to take more work; asked when more than a tenth of the bound is under way.
 */
export function createAdmission({ inFlightMax, bytesMax, isLate }: AdmissionLimits & { isLate: () => boolean }): Admission {
  const calm = CALM_SHARE * inFlightMax;
  let inFlight = 0;
  let bytesHeld = 0;
  return {
    enter(shed, bytes) {
      const share = SHARES[shed];
      if (inFlight + 1 > share * inFlightMax) return 'in_flight';
      if (bytes > 0 && bytesHeld + bytes > share * bytesMax) return 'bytes';
      if (share <= SHARES.first && inFlight + 1 > calm && isLate()) return 'event_loop';
      inFlight += 1;
      bytesHeld += bytes;
      return null;
    },
    leave(bytes) {
      inFlight -= 1;
      bytesHeld -= bytes;
    },
  };
}

/**
 * What a request may hold in memory: its declared length, or the limit of its route where it declares none. One above the limit holds
 * nothing, because it is refused before it is read.
 */
export function bytesToHold(headers: { 'content-length'?: string | undefined; 'transfer-encoding'?: string | undefined }, limit: number) {
  if (headers['transfer-encoding'] !== undefined) return limit;
  const declared = Number(headers['content-length'] ?? 0);
  return declared <= limit ? declared : 0;
}
