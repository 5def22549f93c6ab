import {
  findNameProblem,
  newMessageId,
  parseAllowedRecipients,
  prepareMessage,
  readRequestKey,
  type BatchAnswer,
  type BatchItemInput,
  type CancelResult,
  type MessageContext,
  type MessageInput,
  type MessagePolicy,
  type Sender,
} from '@tickmark/domain';
import { systemClock, type Logger } from '@tickmark/runtime';
import { acceptBatch } from './accept-batch.ts';
import { createMessageAcceptor, type AcceptorMetrics, type MessageAccepted } from './accept-messages.ts';
import { cancelMessage } from './cancel-message.ts';
import { DEADLINES, type Deadlines } from './deadlines.ts';
import { createProducers } from './producers.ts';

const KEY_PATH = 'idempotencyKey';

/** For a process that shows no metrics of ours. */
const NO_METRICS: AcceptorMetrics = {
  groupCommitBatchSize: { labels: () => ({ observe: () => undefined }) },
  idempotencyConflicts: { inc: () => undefined },
  requestsShed: { inc: () => undefined },
};

export interface MessageProducerOptions {
  redisUrl: string;
  /** `QUEUE_PREFIX` of the workers. */
  base?: string;
  /** Namespace of the idempotency keys, as the name of an API key is; whose messages they are. */
  producer: string;
  /** As `parseSenders` reads them from `TWILIO_SENDERS`; the first is the default one. */
  senders: readonly Sender[];
  mode: MessagePolicy['mode'];
  /** Outside live mode, as ALLOWED_RECIPIENTS: absent = nobody in the sandbox, everybody at the simulator. */
  allowedRecipients?: readonly string[];
  log: Logger;
  metrics?: AcceptorMetrics;
  deadlines?: Deadlines;
}

/** Sends from the caller's own process: the same validation, ids and queues as `POST /v1/messages`, without HTTP. */
export interface MessageProducer {
  /**
   * Accepts one message: fulfilled when it is durable in Redis. Of an error `code` and `details` are those of the HTTP API; after
   * QUEUE_UNAVAILABLE nothing was accepted, and after ACCEPTANCE_UNKNOWN the message is repeated with the key `id:<details.id>`.
   *
   * @param options.idempotencyKey the same key never sends a second message; one is made when none is given
   * @throws AppError
   */
  send(message: MessageInput, options?: { idempotencyKey?: string }): Promise<MessageAccepted>;
  /** Accepts up to 1,000 messages, each with a result of its own, as `POST /v1/messages/batch` does. @throws AppError for the batch as a whole */
  sendBatch(messages: readonly BatchItemInput[], options?: { idempotencyKey?: string }): Promise<BatchAnswer>;
  /** Ends a message of this producer that was not sent yet. @throws AppError QUEUE_UNAVAILABLE: ask again */
  cancel(id: string): Promise<CancelResult | 'cancel_requested'>;
  /** Resolves when whoever waits was answered and the connection is closed. Never hangs. */
  close(): Promise<void>;
}

/**
 * Opens a producer in the caller's own process. Nothing is awaited: without Redis its calls fail, and work again when it is there.
 *
 * @throws Error when the name cannot be a producer's, there is no sender, or an allowed recipient cannot be read
 */
export function createMessageProducer(options: MessageProducerOptions): MessageProducer {
  const { producer, log, metrics = NO_METRICS, deadlines = DEADLINES } = options;
  const policy = readPolicy(options);
  const { redisUrl, base } = options;
  const producers = createProducers({ redisUrl, log, deadlineMs: deadlines.redisMs, ...(base === undefined ? {} : { base }) });
  const acceptor = createMessageAcceptor({ producers, metrics, clock: systemClock, log, deadlines });
  const context = (): MessageContext => ({ producer, aliases: null, policy, now: systemClock.now() });

  return {
    send: async (message, { idempotencyKey = freshKey() } = {}) => {
      const { id } = readRequestKey(producer, idempotencyKey, KEY_PATH);
      return acceptor.accept({ message: prepareMessage(message, id, context()), keyGiven: true });
    },
    sendBatch: async (messages, { idempotencyKey: key } = {}) => {
      const items = key === undefined ? messages.map((item) => ({ ...item, [KEY_PATH]: item.idempotencyKey ?? freshKey() })) : messages;
      return acceptBatch({ acceptor, log }, { input: { messages: items }, key, keyPath: KEY_PATH }, context());
    },
    cancel: (id) => cancelMessage(producers, { id: id.toLowerCase(), producer }, deadlines.cancelMs),
    close: async () => {
      await acceptor.drain();
      await producers.close();
    },
  };
}

/** A key that names its message's id: with it the message can be repeated, and its ids follow time. */
function freshKey(): string {
  return `id:${newMessageId()}`;
}

function readPolicy({ producer, senders, mode, allowedRecipients }: MessageProducerOptions): MessagePolicy {
  const problem = findNameProblem(producer);
  if (problem !== null) throw new Error(`"${producer}" cannot be a producer: ${problem}`);
  if (senders.length === 0) throw new Error('a producer needs at least one sender: read TWILIO_SENDERS with parseSenders');
  const allowed = allowedRecipients === undefined ? undefined : parseAllowedRecipients(allowedRecipients.join(','));
  return { mode, senders, allowedRecipients: () => allowed };
}
