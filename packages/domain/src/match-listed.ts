import type { ListedMessage } from './listed-message.ts';

/** One attempt whose outcome is unknown, as far as a listed message can be compared with it. */
export interface UnknownAttempt {
  id: string;
  claimedAt: Date;
  /** SHA-256 of a free text in hex; null for a template or mere media, whose text only Twilio knows. */
  contentSha256: string | null;
  /** Equal for attempts that send the same. */
  contentKey: string;
}

/**
 * - `adopt`: this listed message is taken for the attempt's.
 * - `ambiguous`: some of these may be the attempt's, and nothing tells which, or whether any.
 * - `absent`: the list shows nothing that may be the attempt's.
 */
export type ListMatch =
  { kind: 'adopt'; message: ListedMessage } | { kind: 'ambiguous'; candidates: readonly ListedMessage[] } | { kind: 'absent' };

/** Twilio's clock and the database's differ, and its dates are cut to whole seconds. */
export const LISTED_BEFORE_CLAIM_MS = 10_000;
/** A call's time limit, and a minute on top for what reaches Twilio late. */
export const LISTED_AFTER_CLAIM_MS = 70_000;

/**
 * Finds for unknown attempts of one sender to one person which of the listed messages are theirs. The list tells no id of ours, so they
 * are compared by time, by the hash of a free text, and by count: where more messages are listed than attempts could have made, somebody
 * else made some, and none is taken.
 *
 * @param candidates messages that no row and no attempt of ours has, newest first
 * @returns one match per attempt, by its id
 */
export function matchListed(attempts: readonly UnknownAttempt[], candidates: readonly ListedMessage[]): Map<string, ListMatch> {
  const inOrder = attempts.toSorted((a, b) => a.claimedAt.getTime() - b.claimedAt.getTime() || (a.id < b.id ? -1 : 1));
  const oldestFirst = candidates.toReversed().toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
  const fitting = findFitting(inOrder, oldestFirst);
  const adopted = new Map<string, ListedMessage>();
  for (const cluster of findClusters(fitting)) {
    for (const [id, message] of pairUp(cluster, fitting) ?? []) adopted.set(id, message);
  }
  const taken = new Set(adopted.values());
  const left = candidates.filter((message) => !taken.has(message));
  return new Map(inOrder.map((attempt) => [attempt.id, describe(attempt, adopted.get(attempt.id), left)]));
}

function describe(attempt: UnknownAttempt, message: ListedMessage | undefined, left: readonly ListedMessage[]): ListMatch {
  if (message) return { kind: 'adopt', message };
  // Whatever its text: Twilio may have changed it on the way, and to believe in an absence is the mistake that sends twice.
  const doubtful = left.filter((candidate) => isInTime(attempt, candidate));
  return doubtful.length === 0 ? { kind: 'absent' } : { kind: 'ambiguous', candidates: doubtful };
}

type Fitting = ReadonlyMap<UnknownAttempt, readonly ListedMessage[]>;

/** For each attempt the messages that may be its own by time and text. */
function findFitting(attempts: readonly UnknownAttempt[], messages: readonly ListedMessage[]): Fitting {
  const fitsText = (attempt: UnknownAttempt, message: ListedMessage) =>
    attempt.contentSha256 === message.contentSha256 && isInTime(attempt, message);
  const texts = attempts.filter(({ contentSha256 }) => contentSha256 !== null);
  // A template's text is not known to us; but it is not that of a free text which is looked for as well.
  const others = messages.filter((message) => !texts.some((attempt) => fitsText(attempt, message)));
  return new Map(
    attempts.map((attempt) => [
      attempt,
      attempt.contentSha256 === null
        ? others.filter((message) => isInTime(attempt, message))
        : messages.filter((message) => fitsText(attempt, message)),
    ]),
  );
}

interface Cluster {
  attempts: UnknownAttempt[];
  messages: Set<ListedMessage>;
}

/** Attempts and messages that may belong together, directly or through others: each such set is judged by itself. */
function findClusters(fitting: Fitting): Cluster[] {
  const clusters: Cluster[] = [];
  for (const [attempt, messages] of fitting) {
    const touching = clusters.filter((cluster) => messages.some((message) => cluster.messages.has(message)));
    const merged: Cluster = {
      attempts: [...touching.flatMap((cluster) => cluster.attempts), attempt],
      messages: new Set([...touching.flatMap((cluster) => [...cluster.messages]), ...messages]),
    };
    for (const cluster of touching) clusters.splice(clusters.indexOf(cluster), 1);
    clusters.push(merged);
  }
  return clusters;
}

/** @returns null when the counts or the contents leave it open which attempt made which message. */
function pairUp({ attempts, messages }: Cluster, fitting: Fitting): [string, ListedMessage][] | null {
  const [first] = attempts;
  const sameContent = attempts.every(({ contentKey }) => contentKey === first?.contentKey);
  if (messages.size < attempts.length && !sameContent) return null;
  const free = new Set(attempts.toSorted((a, b) => a.claimedAt.getTime() - b.claimedAt.getTime()));
  const pairs: [string, ListedMessage][] = [];
  for (const message of [...messages].toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime())) {
    // Both in the order of time: all windows have one length, so the first that fits leaves the best choice to the others.
    const attempt = [...free].find((one) => fitting.get(one)?.includes(message));
    // More than the attempts can have made: somebody else made some, and nothing tells which.
    if (!attempt) return null;
    free.delete(attempt);
    pairs.push([attempt.id, message]);
  }
  return pairs;
}

function isInTime({ claimedAt }: UnknownAttempt, { createdAt }: ListedMessage): boolean {
  const laterMs = createdAt.getTime() - claimedAt.getTime();
  return laterMs >= -LISTED_BEFORE_CLAIM_MS && laterMs <= LISTED_AFTER_CLAIM_MS;
}
