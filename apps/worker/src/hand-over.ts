import type { Claim, ClaimAnswer, RecordAnswer } from '@tickmark/delivery';
import type { Producers, SendOutcomePayload } from '@tickmark/queues';
import type { Clock, Logger } from '@tickmark/runtime';
import { isDatabaseAway } from './is-database-away.ts';
import type { RecordBatches } from './record-batches.ts';
import { repeatUntilWritten } from './repeat-until-written.ts';

export interface HandOverDeps {
  batches: Pick<RecordBatches, 'claims' | 'outcomes'>;
  producers: Pick<Producers, 'addSendOutcome'>;
  clock: Clock;
  log: Logger;
}

/** A call that was made, and what came of it. */
export type MadeCall = Omit<Extract<SendOutcomePayload, { attempt: number }>, 'v'>;

/**
 * Claims a row, for as long as the database may take to come back.
 *
 * @throws when it stays away. Then nobody knows whether the claim was granted, so the queue `send-outcome` gives it back: no call was made.
 */
export async function claimOrLetGo(deps: HandOverDeps, claim: Claim): Promise<ClaimAnswer> {
  try {
    return await repeatUntilWritten(() => deps.batches.claims.commit(claim), deps.clock);
  } catch (error) {
    if (isDatabaseAway(error)) await handBack(deps, claim);
    throw error;
  }
}

/** Gives a claim back by way of the queue. Without Redis too nothing happens: a row that was claimed becomes `unknown`. Never rejects. */
export async function handBack({ producers, log }: Pick<HandOverDeps, 'producers' | 'log'>, { id, token }: Claim): Promise<void> {
  try {
    await producers.addSendOutcome({ id, token, outcome: { kind: 'released' } });
    log.debug({ messageId: id }, 'claim handed back: the database is away');
  } catch (error) {
    log.warn({ messageId: id, err: error }, 'claim could not be handed back: the row may become unknown although no call was made');
  }
}

/**
 * Records what came of a call; when the database stays away, hands it to the queue `send-outcome`, whose processor records it later.
 *
 * @returns null when it was handed over
 * @throws when Redis is away too: then the row stays `sending`, and the sweeper makes it `unknown`
 */
export async function recordOrHandOver({ batches, producers, clock, log }: HandOverDeps, call: MadeCall): Promise<RecordAnswer | null> {
  try {
    return await repeatUntilWritten(() => batches.outcomes.commit(call), clock);
  } catch (error) {
    if (!isDatabaseAway(error)) throw error;
    const { id: messageId, attempt, outcome } = call;
    try {
      await producers.addSendOutcome(call);
    } catch (err) {
      // All that is left of it is this line.
      log.error({ messageId, attempt, outcome, err }, 'outcome lost: neither store could be told, the row becomes unknown');
      throw error;
    }
    log.debug({ messageId, attempt, outcome: outcome.kind }, 'outcome handed over: the database is away');
    return null;
  }
}
