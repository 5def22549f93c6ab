import { MESSAGE_STATUSES, PRIORITIES } from '@tickmark/domain';
import { sql, type SQL } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  customType,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

/** Milliseconds, as in JavaScript: a time that was read and comes back in a comparison must still be equal. */
const at = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

const oneOf = (column: string, values: readonly string[]): SQL =>
  sql.raw(`${column} IN (${values.map((value) => `'${value}'`).join(', ')})`);

const rankOfStatus = sql.raw(
  `CASE status ${Object.entries(MESSAGE_STATUSES)
    .map(([status, { rank }]) => `WHEN '${status}' THEN ${rank}`)
    .join(' ')} ELSE -1 END`,
);

const SID_SOURCES = ['record', 'callback', 'adopted'] as const;
const OUTCOMES = ['accepted', 'throttled', 'rejected', 'unknown', 'released'] as const;

const WAITING = oneOf('open_status', ['accepted', 'scheduled', 'retrying']);

/**
 * One row per message: what we were asked to send, and what became of it.
 *
 * Write rate: a message is inserted once and updated four to six times. The first two updates (claim, record) touch indexed columns and
 * rewrite every index entry. All later ones (sent, delivered, read) are heap-only, because **no index mentions status, rank, error code,
 * a stage time or updated_at**, not even in its WHERE: a column in a partial index's condition counts as indexed. That is what
 * `open_status` is for: it follows the status while the row is ours (rank 0) and is null, unchanging, from then on. The fillfactor leaves
 * room on the page for those versions. Before adding an index here, measure it against that.
 */
export const whatsappMessages = pgTable(
  'whatsapp_messages',
  {
    id: uuid('id').primaryKey(),
    /** `external`: not sent by us. `recovered`: sent by us, but the row was lost (a restored backup) and a callback brought it back. */
    origin: text('origin').notNull().default('api'),
    /** Name of the API key; null when the row was made from a callback. */
    producer: text('producer'),
    requestHash: bytes('request_hash'),
    retryOf: uuid('retry_of'),

    /** Alias; null when the address is none of our senders. */
    sender: text('sender'),
    /** `whatsapp:+E164` or a Messaging Service `MG…`. */
    senderAddress: text('sender_address'),
    /** `whatsapp:+E164` or `whatsapp:CC.…`: a business-scoped user id is no number. */
    recipient: text('recipient'),

    /** The content columns hold ciphertext when `content_key_id` is set, and null once they are redacted. */
    body: text('body'),
    contentSid: text('content_sid'),
    /** JSON of an object of strings. */
    contentVariables: text('content_variables'),
    mediaUrl: text('media_url'),
    contentKeyId: text('content_key_id'),
    /** When they were: what is left of a template must not be sent again without its variables. */
    redactedAt: at('redacted_at'),
    /** SHA-256 of a free text: recognises the message in a list of Twilio, also after redaction. */
    contentSha256: bytes('content_sha256'),

    priority: text('priority').notNull(),
    category: text('category'),
    campaign: text('campaign'),
    metadata: jsonb('metadata').$type<Record<string, string>>(),
    onUnknown: text('on_unknown').notNull().default('hold'),
    sendAt: at('send_at'),
    expiresAt: at('expires_at'),

    status: text('status').notNull(),
    rank: smallint('rank').notNull(),
    openStatus: text('open_status').generatedAlwaysAs(sql`CASE WHEN rank = 0 THEN status END`),
    errorCode: integer('error_code'),
    /** Delivered or read was seen, and a negative final status too. */
    contradicted: boolean('contradicted').notNull().default(false),
    /** More than one attempt reached the recipient. */
    duplicate: boolean('duplicate').notNull().default(false),
    /** When the next claim may succeed; says nothing unless the row waits. */
    dueAt: at('due_at'),

    messageSid: text('message_sid'),
    /** How we know the sid: record = callback > adopted. */
    sidSource: text('sid_source'),

    /** Claims so far; never decreases. What follows up to `request_id` is the newest attempt; older ones are in message_attempts. */
    attempts: integer('attempts').notNull().default(0),
    claimToken: uuid('claim_token'),
    claimedAt: at('claimed_at'),
    outcome: text('outcome'),
    endedAt: at('ended_at'),
    httpStatus: smallint('http_status'),
    requestId: text('request_id'),
    /** Throttles in a row, for the back-off. */
    throttles: smallint('throttles').notNull().default(0),
    /** Retryable refusals so far, against their budget. */
    refusals: smallint('refusals').notNull().default(0),
    /** Resends after an unknown outcome so far; by itself the system makes one at most. */
    resends: smallint('resends').notNull().default(0),

    /** The ingress's clock; null when we did not accept it ourselves. */
    acceptedAt: at('accepted_at'),
    createdAt: at('created_at').notNull().defaultNow(),
    updatedAt: at('updated_at').notNull().defaultNow(),
    queuedAt: at('queued_at'),
    sentAt: at('sent_at'),
    deliveredAt: at('delivered_at'),
    readAt: at('read_at'),
    failedAt: at('failed_at'),
  },
  (table) => [
    // A sid on a claimable row would be a second message to the same person with the next claim.
    check('no_sid_while_claimable', sql`message_sid IS NULL OR ${oneOf('status', ['accepted', 'scheduled', 'retrying'])} IS FALSE`),
    check('no_sending_without_token', sql`status <> 'sending' OR (claim_token IS NOT NULL AND claimed_at IS NOT NULL AND attempts > 0)`),
    check('waiting_has_a_due_time', sql`due_at IS NOT NULL OR ${oneOf('status', ['accepted', 'scheduled', 'retrying'])} IS FALSE`),
    check('rank_agrees_with_status', sql`rank = ${rankOfStatus}`),
    check('origin_known', oneOf('origin', ['api', 'retry', 'external', 'recovered'])),
    check('priority_known', oneOf('priority', PRIORITIES)),
    check('on_unknown_known', oneOf('on_unknown', ['hold', 'resend'])),
    check('sid_source_known', sql`(message_sid IS NULL) = (sid_source IS NULL) AND ${oneOf('sid_source', SID_SOURCES)} IS NOT FALSE`),
    check('outcome_known', oneOf('outcome', OUTCOMES)),
    uniqueIndex('whatsapp_messages_sid')
      .on(table.messageSid)
      .where(sql`message_sid IS NOT NULL`),
    uniqueIndex('whatsapp_messages_retry_of')
      .on(table.retryOf)
      .where(sql`retry_of IS NOT NULL`),
    // The sweeper's walk, the stale claims, the unknown outcomes, the held ones: each holds only the rows that are in that state now.
    index('whatsapp_messages_waiting').on(table.dueAt, table.id).where(WAITING),
    index('whatsapp_messages_sending')
      .on(table.claimedAt)
      .where(oneOf('open_status', ['sending'])),
    index('whatsapp_messages_unknown')
      .on(table.claimedAt, table.id)
      .where(oneOf('open_status', ['unknown'])),
    index('whatsapp_messages_held')
      .on(table.id)
      .where(oneOf('open_status', ['held'])),
    // Expiry: only rows with a validity, and only as long as they are not sent.
    index('whatsapp_messages_expiring')
      .on(table.expiresAt, table.id)
      .where(sql`expires_at IS NOT NULL AND ${oneOf('open_status', ['accepted', 'scheduled', 'retrying', 'held'])}`),
    // One person has few messages: (sender, recipient) is found through it as well.
    index('whatsapp_messages_recipient').on(table.recipient, table.createdAt),
    // The pair limit: how often this person was written to in the last minute.
    index('whatsapp_messages_pair')
      .on(table.recipient, table.claimedAt)
      .where(sql`claimed_at IS NOT NULL`),
    // Newest first, cleanup, and every list that filters by something common (sender, status, campaign).
    index('whatsapp_messages_created').on(table.createdAt, table.id),
  ],
);

/**
 * The attempts before the newest one, which is on the message's own row: the common message of one attempt costs no row here.
 *
 * No foreign keys anywhere in this schema: each insert would lock the message's row once more, and logs outlive erased rows.
 */
export const messageAttempts = pgTable(
  'message_attempts',
  {
    messageId: uuid('message_id').notNull(),
    attempt: integer('attempt').notNull(),
    claimToken: uuid('claim_token'),
    claimedAt: at('claimed_at'),
    endedAt: at('ended_at'),
    outcome: text('outcome'),
    messageSid: text('message_sid'),
    status: text('status'),
    rank: smallint('rank').notNull().default(0),
    errorCode: integer('error_code'),
    httpStatus: smallint('http_status'),
    requestId: text('request_id'),
  },
  (table) => [
    primaryKey({ columns: [table.messageId, table.attempt] }),
    check('attempt_outcome_known', oneOf('outcome', OUTCOMES)),
    uniqueIndex('message_attempts_sid')
      .on(table.messageSid)
      .where(sql`message_sid IS NOT NULL`),
  ],
);

/** Every status that we were told, once. Rows are only added; `message_id` alone is re-pointed when a sid finds its owner. */
export const messageStatusLogs = pgTable(
  'message_status_logs',
  {
    messageSid: text('message_sid').notNull(),
    /** Twilio's own word. */
    status: text('status').notNull(),
    errorCode: integer('error_code'),
    messageId: uuid('message_id').notNull(),
    attempt: integer('attempt'),
    source: text('source').notNull(),
    /** The channel's own words about a failure. */
    channelStatusMessage: text('channel_status_message'),
    receivedAt: at('received_at').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (table) => [
    // The only index: a message's log is read through its sids. With a second one each status would cost half as much again.
    unique('message_status_logs_once').on(table.messageSid, table.status, table.errorCode).nullsNotDistinct(),
  ],
);

/**
 * What the messages of one hour (of `created_at`, UTC) and one sender became: measure → count, by the SQL function `delivery_measures`.
 * It outlives the rows that it was counted from. Nobody counts here when a status comes: see {@link deliveryMetricChanges}.
 */
export const messageDeliveryMetrics = pgTable(
  'message_delivery_metrics',
  {
    hour: at('hour').notNull(),
    /** Alias; of a message that none of our senders sent the sending address, or nothing when even that is not known. */
    sender: text('sender').notNull(),
    measures: jsonb('measures').$type<Record<string, number>>().notNull().default({}),
    foldedAt: at('folded_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.hour, table.sender] })],
);

/**
 * By how much one statement changed the measures of an hour and sender: written by triggers on the message table in the same transaction,
 * only ever added to, and folded into {@link messageDeliveryMetrics} by a job. Both together are exact at any moment.
 */
export const deliveryMetricChanges = pgTable('delivery_metric_changes', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  hour: at('hour').notNull(),
  sender: text('sender').notNull(),
  changes: jsonb('changes').$type<Record<string, number>>().notNull(),
});

/** Recipients of whose messages something became, noted by the same triggers until a job has looked at them. */
export const changedRecipients = pgTable('changed_recipients', {
  id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
  recipients: text('recipients').array().notNull(),
});

/** What became of the messages of one address, once as a sender and once as a recipient. */
export const phoneDeliveryPerformance = pgTable(
  'phone_delivery_performance',
  {
    /** Any address, not only numbers. */
    phone: text('phone').notNull(),
    role: text('role').notNull(),
    /** As in {@link messageDeliveryMetrics}: of a sender the sum of its hours, of a recipient counted from its latest messages. */
    measures: jsonb('measures').$type<Record<string, number>>().notNull().default({}),
    /** Of the latest message that failed. */
    lastErrorCode: integer('last_error_code'),
    lastErrorAt: at('last_error_at'),
    lastDeliveredAt: at('last_delivered_at'),
    firstMessageAt: at('first_message_at'),
    lastMessageAt: at('last_message_at'),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.phone, table.role] }), check('role_known', oneOf('role', ['sender', 'recipient']))],
);

/** What people wrote to our senders, once per MessageSid. */
export const inboundMessages = pgTable(
  'inbound_messages',
  {
    messageSid: text('message_sid').primaryKey(),
    /** The person, as received. */
    fromAddress: text('from_address').notNull(),
    /** Our sender, as received. */
    toAddress: text('to_address').notNull(),
    messagingServiceSid: text('messaging_service_sid'),
    body: text('body'),
    media: jsonb('media').$type<{ url: string; contentType: string | null }[]>().notNull().default([]),
    buttonText: text('button_text'),
    buttonPayload: text('button_payload'),
    contentKeyId: text('content_key_id'),
    repliedToSid: text('replied_to_sid'),
    profileName: text('profile_name'),
    optOutType: text('opt_out_type'),
    /** What else Twilio told, by its own names. */
    details: jsonb('details').$type<Record<string, string>>().notNull().default({}),
    receivedAt: at('received_at').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
    handedOverAt: at('handed_over_at'),
  },
  (table) => [
    index('inbound_messages_from').on(table.fromAddress, table.receivedAt),
    // The walks over what is old: not through the whole table each hour.
    index('inbound_messages_received').on(table.receivedAt, table.messageSid),
    index('inbound_messages_waiting')
      .on(table.receivedAt)
      .where(sql`handed_over_at IS NULL`),
  ],
);

/** When a person last wrote to a sender: free text may go back for 24 hours. */
export const customerServiceWindows = pgTable(
  'customer_service_windows',
  {
    senderAddress: text('sender_address').notNull(),
    recipient: text('recipient').notNull(),
    firstInboundAt: at('first_inbound_at').notNull(),
    lastInboundAt: at('last_inbound_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.senderAddress, table.recipient] })],
);

/** Who must not be written to. A person who opted in again keeps the row: the last event by time wins. */
export const suppressions = pgTable(
  'suppressions',
  {
    senderAddress: text('sender_address').notNull(),
    recipient: text('recipient').notNull(),
    /** `all`, or the category of messages that stays away. */
    category: text('category').notNull().default('all'),
    suppressed: boolean('suppressed').notNull(),
    eventAt: at('event_at').notNull(),
    source: text('source').notNull(),
    reason: text('reason'),
    createdAt: at('created_at').notNull().defaultNow(),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.senderAddress, table.recipient, table.category] }),
    index('suppressions_recipient').on(table.recipient),
  ],
);

/** Ids whose rows were cleaned up or erased: a late callback must not bring them back. Kept for 90 days. */
export const messageTombstones = pgTable(
  'message_tombstones',
  { messageId: uuid('message_id').primaryKey(), deletedAt: at('deleted_at').notNull().defaultNow() },
  (table) => [index('message_tombstones_deleted').on(table.deletedAt)],
);

/** Our senders. The environment seeds them; from then on this table is right. */
export const senders = pgTable(
  'senders',
  {
    alias: text('alias').primaryKey(),
    address: text('address').notNull().unique('senders_address'),
    mps: doublePrecision('mps').notNull(),
    state: text('state').notNull().default('active'),
    createdAt: at('created_at').notNull().defaultNow(),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  () => [check('state_known', oneOf('state', ['active', 'paused'])), check('mps_positive', sql`mps > 0`)],
);

const STOP_SCOPES = ['all', 'account', 'sender', 'campaign', 'template'] as const;
const STOP_SOURCES = ['operator', 'breaker'] as const;

export type StopScope = (typeof STOP_SCOPES)[number];
export type StopSource = (typeof STOP_SOURCES)[number];

/**
 * What must not be sent at the moment, and why: an operator's stop switch, or a breaker that opened. The claim reads it, so that nothing
 * leaves under a stop whatever a process remembers; a wiped Redis forgets none of it.
 */
export const sendStops = pgTable(
  'send_stops',
  {
    scope: text('scope').notNull(),
    /** Alias, campaign, content sid, or fingerprint of the credentials; `*` for the scope `all`. */
    target: text('target').notNull(),
    source: text('source').notNull(),
    /** The code that opened a breaker. */
    errorCode: integer('error_code'),
    /** For operators; of an operator's stop their own words. */
    reason: text('reason'),
    actor: text('actor').notNull(),
    /** How often the breaker opened again before a quiet time, for its growing pause. */
    level: smallint('level').notNull().default(0),
    openedAt: at('opened_at').notNull().defaultNow(),
    /** Null = until somebody ends it. */
    until: at('until'),
    /** When the last probe of a half-open breaker was let through. */
    probedAt: at('probed_at'),
  },
  (table) => [
    primaryKey({ columns: [table.scope, table.target, table.source] }),
    check('scope_known', oneOf('scope', STOP_SCOPES)),
    check('source_known', oneOf('source', STOP_SOURCES)),
  ],
);

/** What the reconciler found out about attempts whose outcome is unknown. */
export const outcomeSearches = pgTable(
  'outcome_searches',
  {
    messageId: uuid('message_id').notNull(),
    attempt: integer('attempt').notNull(),
    /** Looks at Twilio's list so far; `absences` of them proved under positive control that nothing was created. */
    looks: smallint('looks').notNull().default(0),
    absences: smallint('absences').notNull().default(0),
    /** Messages in the list that might be this one, at the last look. */
    candidates: jsonb('candidates').$type<{ sid: string; status: string; createdAt: string }[]>().notNull().default([]),
    lookedAt: at('looked_at'),
  },
  (table) => [primaryKey({ columns: [table.messageId, table.attempt] })],
);

/** Messages that had no final receipt a quarter of an hour after they came, when Twilio is asked about each, and what it said. */
export const receiptPolls = pgTable(
  'receipt_polls',
  {
    messageId: uuid('message_id').primaryKey(),
    dueAt: at('due_at').notNull(),
    askedAt: at('asked_at'),
    /** Twilio's word for the status, `gone` (it knows no such SID), or `failed` (no answer); null until asked. */
    answer: text('answer'),
    /** The last question was put: the row only tells of it, and goes when it is due. */
    over: boolean('over').notNull().default(false),
  },
  (table) => [index('receipt_polls_due').on(table.dueAt)],
);

/** Single values that belong to the installation, such as the epoch of its Redis. */
export const systemState = pgTable('system_state', {
  key: text('key').primaryKey(),
  value: text('value').notNull(),
  updatedAt: at('updated_at').notNull().defaultNow(),
});

/**
 * Cancellations asked for, kept so that one that overtakes its own message still wins. One per producer: until the message is there nobody
 * knows whose it is, and no stranger may take the place of its owner.
 */
export const cancelRequests = pgTable(
  'cancel_requests',
  {
    messageId: uuid('message_id').notNull(),
    producer: text('producer').notNull(),
    requestedAt: at('requested_at').notNull().defaultNow(),
  },
  (table) => [primaryKey({ columns: [table.messageId, table.producer] }), index('cancel_requests_requested').on(table.requestedAt)],
);

/** Queue items that can never be carried out. They live here and not in Redis, because they may hold personal data. */
export const deadLetters = pgTable(
  'dead_letters',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    queue: text('queue').notNull(),
    jobId: text('job_id').notNull(),
    payload: jsonb('payload').notNull(),
    reason: text('reason').notNull(),
    createdAt: at('created_at').notNull().defaultNow(),
    /** An operator wants it tried again: a worker gives it back to its queue and deletes the row. */
    retryRequestedAt: at('retry_requested_at'),
  },
  (table) => [
    unique('dead_letters_once').on(table.queue, table.jobId),
    index('dead_letters_requested')
      .on(table.id)
      .where(sql`retry_requested_at IS NOT NULL`),
  ],
);

/** An operator's word on an error code, above our table's. */
export const errorPolicies = pgTable(
  'error_policies',
  {
    code: integer('code').primaryKey(),
    action: text('action').notNull(),
    reason: text('reason'),
    updatedBy: text('updated_by'),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  () => [check('action_known', oneOf('action', ['retry', 'stop', 'hold']))],
);

/** Long work that an operator asked for, with its progress. */
export const tasks = pgTable(
  'tasks',
  {
    id: uuid('id').primaryKey(),
    kind: text('kind').notNull(),
    state: text('state').notNull().default('queued'),
    input: jsonb('input').notNull().default({}),
    progress: jsonb('progress').notNull().default({}),
    result: jsonb('result'),
    error: text('error'),
    requestedBy: text('requested_by'),
    createdAt: at('created_at').notNull().defaultNow(),
    startedAt: at('started_at'),
    finishedAt: at('finished_at'),
  },
  (table) => [
    check('state_known', oneOf('state', ['queued', 'running', 'done', 'failed'])),
    index('tasks_created').on(table.createdAt),
    index('tasks_open')
      .on(table.createdAt)
      .where(oneOf('state', ['queued', 'running'])),
  ],
);

/** Who changed what by hand, and what the system found that a person should know. */
export const auditLog = pgTable(
  'audit_log',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedAlwaysAsIdentity(),
    at: at('at').notNull().defaultNow(),
    actor: text('actor').notNull(),
    action: text('action').notNull(),
    messageId: uuid('message_id'),
    reason: text('reason'),
    details: jsonb('details').notNull().default({}),
  },
  (table) => [
    index('audit_log_at').on(table.at),
    index('audit_log_message')
      .on(table.messageId)
      .where(sql`message_id IS NOT NULL`),
  ],
);
