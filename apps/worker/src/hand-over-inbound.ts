import { findNotHandedOver, markHandedOver, type Database } from '@tickmark/delivery';
import { readOptOut, type InboundMessage, type OptOutWords } from '@tickmark/domain';
import type { Producers } from '@tickmark/queues';

const PAGE_ROWS = 200;

export interface HandOverInboundDeps {
  db: Database;
  producers: Pick<Producers, 'addInboundMessages'>;
  /** Asked each time: they may come from a file that was changed. */
  optOutWords: () => OptOutWords;
}

/**
 * Hands stored messages to consumers, and marks them afterwards: who dies in between hands them over twice, never not at all.
 *
 * @returns how many; the queue had no room for the others, which wait in Postgres for the sweeper
 */
export async function handOverInbound(
  { db, producers, optOutWords }: HandOverInboundDeps,
  messages: readonly InboundMessage[],
): Promise<number> {
  if (messages.length === 0) return 0;
  const words = optOutWords();
  const taken = await producers.addInboundMessages(messages.map((message) => ({ message, optOut: readOptOut(message, words) })));
  await markHandedOver(
    db,
    messages.slice(0, taken).map(({ messageSid }) => messageSid),
  );
  return taken;
}

/** Hands over what nobody did, oldest first, while there is room. @returns how many */
export async function handOverWaiting(deps: HandOverInboundDeps, signal?: AbortSignal): Promise<number> {
  for (let handedOver = 0; ;) {
    const taken = await handOverInbound(deps, await findNotHandedOver(deps.db, { limit: PAGE_ROWS }));
    handedOver += taken;
    if (taken < PAGE_ROWS || signal?.aborted === true) return handedOver;
  }
}
