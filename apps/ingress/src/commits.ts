import type { InboundMessage, StatusEvent } from '@tickmark/domain';
import { DEADLINES, type Producers } from '@tickmark/queues';
import { createGroupCommit, type GroupCommit, type GroupCommitOptions, type Metrics } from '@tickmark/runtime';

/** JSON of a status event whose values are all empty: names, quotes and fixed-length values. */
const STATUS_EVENT_BYTES = 330;

/** What the ingress writes for Twilio. Each `commit` resolves when its item is durable in Redis. */
export interface Commits {
  statusCallback: GroupCommit<StatusEvent, void>;
  inbound: GroupCommit<InboundMessage, void>;
  /** Resolves when everybody who waits was answered. */
  drain(): Promise<void>;
}

export type CommitProducers = Pick<Producers, 'addStatusEvents' | 'addInbound'>;

export function createCommits(deps: { producers: CommitProducers; metrics: Metrics; deadlineMs?: number }): Commits {
  const { producers, metrics, deadlineMs = DEADLINES.commitMs } = deps;
  const commitInto = <T>(site: string, add: (items: T[]) => Promise<void>, sizeOf: (item: T) => number) =>
    createGroupCommit({ site, metrics, deadlineMs, sizeOf, flush: addAll(add) });
  const statusCallback = commitInto<StatusEvent>('status-callback', (events) => producers.addStatusEvents(events), statusEventBytes);
  const inbound = commitInto<InboundMessage>('inbound', (messages) => producers.addInbound(messages), jsonBytes);
  return { statusCallback, inbound, drain: async () => void (await Promise.all([statusCallback.drain(), inbound.drain()])) };
}

/** One job holds the batch, so all of its items share one fate. */
function addAll<T>(add: (items: T[]) => Promise<void>): GroupCommitOptions<T, void>['flush'] {
  return async (items) => {
    await add(items);
    return items.map(() => ({ ok: true, value: undefined }));
  };
}

function jsonBytes(item: object): number {
  return Buffer.byteLength(JSON.stringify(item));
}

/** Near enough to the JSON, at a tenth of its cost: this runs for every callback, and Redis does not mind a job some bytes larger. */
function statusEventBytes(event: StatusEvent): number {
  const { messageSid, rawStatus, from, to, messagingServiceSid, channelStatusMessage } = event;
  const texts = messageSid.length + rawStatus.length + (from?.length ?? 0) + (to?.length ?? 0) + (messagingServiceSid?.length ?? 0);
  return STATUS_EVENT_BYTES + texts + (channelStatusMessage === null ? 0 : Buffer.byteLength(channelStatusMessage));
}
