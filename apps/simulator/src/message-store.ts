/** One Message resource. Times are milliseconds since 1970. */
export interface SimulatedMessage {
  readonly sid: string;
  readonly to: string;
  /** Null while a Messaging Service has not chosen a sender. */
  from: string | null;
  readonly messagingServiceSid: string | null;
  body: string | null;
  readonly mediaCount: number;
  readonly direction: 'outbound-api' | 'inbound';
  status: string;
  errorCode: number | null;
  readonly createdAt: number;
  updatedAt: number;
  sentAt: number | null;
  readonly statusCallback: string | null;
  readonly template: boolean;
  /** What decides over this message's chances. */
  readonly fate: number;
}

export interface MessageStore {
  add(message: SimulatedMessage): void;
  get(sid: string): SimulatedMessage | undefined;
  /** False when there was none. */
  remove(sid: string): boolean;
  /** Newest first; with a sid, only those older than it. An unknown sid gives nothing. */
  newestFirst(olderThan?: string): Iterable<SimulatedMessage>;
}

/** The newest messages that are kept, some 700 bytes each; older ones are forgotten as if deleted. */
const MESSAGES_MAX = 500_000;

export function createMessageStore(options: { messagesMax?: number } = {}): MessageStore {
  const { messagesMax = MESSAGES_MAX } = options;
  const bySid = new Map<string, { message: SimulatedMessage; position: number }>();
  let order: (SimulatedMessage | undefined)[] = [];
  /** Position of the first element of `order` in the row of all messages ever added. */
  let base = 0;
  let oldest = 0;

  const forgetOldest = () => {
    while (bySid.size > messagesMax) {
      const message = order[oldest - base];
      order[oldest - base] = undefined;
      oldest++;
      if (message) bySid.delete(message.sid);
    }
    if (oldest - base > messagesMax) {
      order = order.slice(oldest - base);
      base = oldest;
    }
  };

  return {
    add: (message) => {
      bySid.set(message.sid, { message, position: base + order.length });
      order.push(message);
      forgetOldest();
    },
    get: (sid) => bySid.get(sid)?.message,
    remove: (sid) => {
      const entry = bySid.get(sid);
      if (!entry) return false;
      bySid.delete(sid);
      order[entry.position - base] = undefined;
      return true;
    },
    newestFirst: function* (olderThan) {
      const entry = olderThan === undefined ? undefined : bySid.get(olderThan);
      if (olderThan !== undefined && !entry) return;
      const end = entry ? entry.position : base + order.length;
      for (let position = end - 1; position >= oldest; position--) {
        const message = order[position - base];
        if (message) yield message;
      }
    },
  };
}
