import { compareListed, listSenders, noteListProgress, readListProgress } from '@tickmark/delivery';
import { polledStatusEvent, type PolledMessage } from '@tickmark/domain';
import type { ReceiptPass } from './receipts.ts';

/** Read in one go: what a process that dies in between reads again. */
const SLICE_MS = 3_600_000;

/**
 * Once a day reads what each sender sent since the last time, slice by slice. What Twilio knows further than our rows is repaired; a message
 * that nobody here made becomes an external row, if it is older than an hour: the record of a younger one may be under way.
 *
 * The list tells no recipient and no text of such a message, so that an erased person's does not come back with it.
 */
export async function listReceipts(pass: ReceiptPass): Promise<void> {
  const senders = await listSenders(pass.db);
  const addresses = new Set(senders.map(({ address }) => address));
  for (const { alias, address } of senders) {
    // A number may send for itself and for a Messaging Service, whose own list has the latter.
    const isOwn = ({ messagingServiceSid }: PolledMessage) =>
      messagingServiceSid === null || messagingServiceSid === address || !addresses.has(messagingServiceSid);
    // oxlint-disable-next-line no-await-in-loop -- one sender after the other: all share one request budget
    await listSender(pass, { alias, address, isOwn });
  }
}

interface ListedSender {
  alias: string;
  address: string;
  isOwn: (message: PolledMessage) => boolean;
}

async function listSender(pass: ReceiptPass, { alias: sender, address: senderAddress, isOwn }: ListedSender): Promise<void> {
  const { db, lister, times, isOver, tell } = pass;
  let { until, target } = await readListProgress(db, {
    sender,
    delaySeconds: times.listDelaySeconds,
    everySeconds: times.listEverySeconds,
  });
  while (until < target && !isOver()) {
    const end = new Date(Math.min(until.getTime() + SLICE_MS, target.getTime()));
    const answer = await lister.listSent({ senderAddress, since: until, until: end }, (page) => comparePage(pass, page.filter(isOwn)));
    if (answer.kind === 'failed') return tell('failed');
    until = end;
    await noteListProgress(db, sender, { until, target });
  }
}

async function comparePage({ db, producers, clock, times, tell }: ReceiptPass, listed: readonly PolledMessage[]): Promise<void> {
  // What people wrote to us is listed as well.
  const messages = listed.filter(({ direction }) => direction.startsWith('outbound'));
  const found = await compareListed(db, messages, times);
  const news = messages.filter((_message, index) => found[index] === 'further' || found[index] === 'external');
  if (news.length > 0) await producers.addStatusEvents(news.map((message) => polledStatusEvent(message, 'list', clock.now())));
  for (const comparison of found) {
    if (comparison === 'young') continue;
    tell(comparison === 'further' ? 'repaired' : comparison);
  }
}
