import { findControl, type ControlMessage, type Database } from '@tickmark/delivery';
import { LISTED_BEFORE_CLAIM_MS, type ListedMessage } from '@tickmark/domain';
import type { Producers } from '@tickmark/queues';
import type { MessageLister } from '@tickmark/twilio';

/** How far from the attempt a known message of the sender may be and still show that the list covers that time. */
const PERIOD_SECONDS = 600;

/** An older callback or outcome that waits may be the proof of the very message that is looked for. */
const EVIDENCE_AGE_MS_MAX = 60_000;

export interface AbsenceDeps {
  db: Database;
  producers: Pick<Producers, 'oldestEvidenceAgeMs' | 'mayBeSpooled'>;
  lister: Pick<MessageLister, 'list'>;
}

export interface Absence {
  senderAddress: string;
  claimedAt: Date;
  /** What the list of the pair itself shows of messages that we know. */
  known: readonly ListedMessage[];
}

/** Tells whether it proves anything that a list shows nothing. */
export type AbsenceProof = (absence: Absence) => Promise<boolean>;

/**
 * An empty list is a proof only under positive control: a list of the same kind shows a message that certainly exists, of this sender and
 * time. Wrong credentials, another account or a list that lags behind look exactly like absence. And nothing that may prove the contrary
 * may still be on its way through us.
 *
 * Made anew for each pass: what one list showed holds for the other attempts of that pass.
 */
export function createAbsenceProof({ db, producers, lister }: AbsenceDeps): AbsenceProof {
  const shown = new Map<string, Promise<boolean>>();
  const isShown = (control: ControlMessage, senderAddress: string): Promise<boolean> => {
    const asked = shown.get(control.messageSid) ?? isListed(lister, control, senderAddress);
    shown.set(control.messageSid, asked);
    return asked;
  };
  return async ({ senderAddress, claimedAt, known }) => {
    if ((await producers.oldestEvidenceAgeMs()) >= EVIDENCE_AGE_MS_MAX || (await producers.mayBeSpooled())) return false;
    if (known.some(({ createdAt }) => Math.abs(createdAt.getTime() - claimedAt.getTime()) <= PERIOD_SECONDS * 1_000)) return true;
    const control = await findControl(db, { senderAddress, at: claimedAt, withinSeconds: PERIOD_SECONDS });
    return control !== null && isShown(control, senderAddress);
  };
}

async function isListed(lister: AbsenceDeps['lister'], control: ControlMessage, senderAddress: string): Promise<boolean> {
  const since = new Date(control.claimedAt.getTime() - LISTED_BEFORE_CLAIM_MS);
  const answer = await lister.list({ recipient: control.recipient, senderAddress, since });
  return answer.kind === 'listed' && answer.messages.some(({ messageSid }) => messageSid === control.messageSid);
}
