// The promise: however many messages there are, what is asked for all the time goes through an index and touches few rows.
import { randomUUID } from 'node:crypto';
import {
  applyStatuses,
  cancelMessages,
  claimForSending,
  cleanupOldMessages,
  createArchive,
  createDatabase,
  expireOverdue,
  findControl,
  findUnknown,
  findWaiting,
  getMessageDeliveryStatus,
  getPhoneDeliveryMetrics,
  getPlatformDeliveryMetrics,
  getReceiptCompleteness,
  listMessages,
  listUnknown,
  markStaleSending,
  noteUnfinished,
  rebuildDeliveryMetrics,
  recordOutcome,
  releaseHeld,
  unparkMessages,
  type Database,
  type MessageFilter,
} from '@tickmark/delivery';
import { describeError, type SendOutcome } from '@tickmark/domain';
import { createLogger } from '@tickmark/runtime';
import { randomSid, statusEvent, testDatabase, testFolder } from '@tickmark/testing';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fillTables } from '../bench/rows/scale/fill-tables.ts';
import { fullOrReduced } from './support/counts.ts';
import { watchPlans, type PlanNode, type WatchedServer } from './support/watch-plans.ts';

/** With three log rows each. */
const MESSAGES = fullOrReduced(200_000, 20_000);
/** Of one hour, which a range may hold a part of: the generated month has a daily rhythm. */
const HOUR_ROWS_MAX = MESSAGES / 100;
/** How often the rows are there of which a share of all is meant. */
const SCALE = MESSAGES / 20_000;
const SENDERS = 4;
/** One message in four hundred is older than the period of the cleanup. */
const ROW_DAYS = 31;
const DAYS = ROW_DAYS + 0.08;
const BIG_TABLES = ['whatsapp_messages', 'message_status_logs', 'message_delivery_metrics'];
const HOUR_MS = 3_600_000;
const WEEK_HOURS_MAX = 8 * 24;
const daysAgo = (days: number) => new Date(Date.now() - days * 24 * HOUR_MS);

let server: WatchedServer;
let db: Database;
let drop: () => Promise<void>;
let known: { id: string; sid: string; recipient: string; createdAt: Date; waiting: string; sending: string; token: string; sender: string };

beforeAll(async () => {
  const database = await testDatabase();
  drop = database.drop;
  await fillTables(database.url, { messages: MESSAGES, days: DAYS, until: new Date(), seed: 1 }, () => {});
  server = await watchPlans(database.url);
  db = createDatabase({ url: server.url, prepare: true, max: 2, applicationName: 'tickmark-plans-test' });
  const [row] = await db.sql<(typeof known)[]>`
    SELECT m.id, m.message_sid AS sid, m.recipient, m.created_at AS "createdAt", w.id AS waiting, s.id AS sending, s.claim_token AS token,
      m.sender_address AS sender
    FROM whatsapp_messages m,
      LATERAL (SELECT id FROM whatsapp_messages WHERE open_status = 'accepted' ORDER BY id LIMIT 1) AS w,
      LATERAL (SELECT id, claim_token FROM whatsapp_messages WHERE open_status = 'sending' ORDER BY id LIMIT 1) AS s
    WHERE m.status = 'delivered' AND m.attempts = 1 ORDER BY m.created_at DESC LIMIT 1`;
  known = row as typeof known;
  await rebuildDeliveryMetrics(db, { since: daysAgo(DAYS) });
}, 300_000);
afterAll(async () => {
  await db.close();
  await server.close();
  await drop();
});

interface Asked {
  ask: () => Promise<unknown>;
  /** All of these, and no other of the big tables. */
  indexes: string[];
  /** Rows of the big tables read, whether or not they were wanted. */
  rowsMax: number;
}

const accepted = (): SendOutcome => ({
  kind: 'accepted',
  messageSid: randomSid(),
  rawStatus: 'queued',
  httpStatus: 201,
  errorCode: null,
  requestId: null,
});
const byKey = (key: string) => getMessageDeliveryStatus({ db, describeError }, { idOrSid: key });

/** Each item of a list names the row that retries it. */
const RETRIED_BY = 'whatsapp_messages_retry_of';
const list = (filter: MessageFilter) => listMessages({ db }, { filter, after: null, limit: 50 });

const ASKED: Record<string, Asked> = {
  'a message by its id': {
    ask: () => byKey(known.id),
    indexes: ['whatsapp_messages_pkey', 'whatsapp_messages_retry_of', 'message_status_logs_once'],
    rowsMax: 10,
  },
  'a message by its sid': {
    ask: () => byKey(known.sid),
    indexes: ['whatsapp_messages_sid', 'whatsapp_messages_retry_of', 'message_status_logs_once'],
    rowsMax: 10,
  },
  'a page of the waiting messages': {
    ask: () => findWaiting(db, { limit: 50, dueBefore: new Date(Date.now() + HOUR_MS) }),
    indexes: ['whatsapp_messages_waiting'],
    rowsMax: 50,
  },
  'the messages that expired': {
    ask: () => expireOverdue(db, { rowsMax: 1_000 }),
    indexes: ['whatsapp_messages_expiring', 'whatsapp_messages_pkey'],
    rowsMax: 50 * SCALE,
  },
  'the claims whose worker is gone': {
    ask: () => markStaleSending(db, { olderThanSeconds: 100 * 86_400 }),
    indexes: ['whatsapp_messages_sending', 'whatsapp_messages_pkey'],
    rowsMax: 0,
  },
  'the unknown messages that are due for a look': {
    ask: () => findUnknown(db, { lookAgesSeconds: [30], pauseSeconds: 10, limit: 5 }),
    indexes: ['whatsapp_messages_unknown'],
    rowsMax: 5,
  },
  'the list of the unknown messages': { ask: () => listUnknown(db, { limit: 5 }), indexes: ['whatsapp_messages_unknown'], rowsMax: 5 },
  'the held messages of an error code': {
    ask: () => releaseHeld(db, { which: { code: 63016 }, dryRun: true, actor: 'test', reason: 'test' }),
    indexes: ['whatsapp_messages_held'],
    rowsMax: 30 * SCALE,
  },
  'a claim': {
    ask: () => claimForSending(db, [{ id: known.waiting, token: randomUUID() }], { account: '0123456789abcdef', windowGuard: 'off' }),
    indexes: ['whatsapp_messages_pkey', 'whatsapp_messages_pair'],
    rowsMax: 15,
  },
  'the outcome of a call': {
    ask: () => recordOutcome(db, [{ id: known.sending, attempt: 1, token: known.token, outcome: accepted() }]),
    indexes: ['whatsapp_messages_pkey', 'whatsapp_messages_sid'],
    rowsMax: 10,
  },
  'a cancellation': {
    ask: () => cancelMessages(db, [{ id: known.waiting, producer: 'someone' }]),
    indexes: ['whatsapp_messages_pkey'],
    rowsMax: 5,
  },
  'the parked messages whose stop has ended': {
    ask: () => unparkMessages(db),
    indexes: ['whatsapp_messages_waiting', 'whatsapp_messages_pkey'],
    rowsMax: 0,
  },
  'the walk over the messages without a final receipt': {
    ask: () => noteUnfinished(db, { olderThanSeconds: 900, sample: 10, sureAfterSeconds: 3_600, limit: 200 }),
    indexes: ['whatsapp_messages_created'],
    rowsMax: 200,
  },
  'a message that proves that a list is whole': {
    ask: () => findControl(db, { senderAddress: known.sender, at: known.createdAt, withinSeconds: 600 }),
    indexes: ['whatsapp_messages_created'],
    rowsMax: 50,
  },
  'a status': {
    ask: () => applyStatuses(db, [statusEvent({ messageId: known.id, messageSid: known.sid, rawStatus: 'read' })]),
    indexes: ['whatsapp_messages_sid', 'whatsapp_messages_pkey'],
    rowsMax: 10,
  },
  'the list of the newest messages': { ask: () => list({}), indexes: ['whatsapp_messages_created', RETRIED_BY], rowsMax: 51 },
  'the list of the messages to one recipient': {
    ask: () => list({ to: [known.recipient] }),
    indexes: ['whatsapp_messages_recipient', RETRIED_BY],
    rowsMax: 51,
  },
  'the list of the messages of an hour': {
    ask: () => list({ since: new Date(known.createdAt.getTime() - HOUR_MS), until: known.createdAt }),
    indexes: ['whatsapp_messages_created', RETRIED_BY],
    rowsMax: 51,
  },
  'the list of the messages that failed': {
    ask: () => listMessages({ db }, { filter: { status: ['failed', 'undelivered'] }, after: null, limit: 50, rowsLookedAtMax: 1_000 }),
    indexes: ['whatsapp_messages_created', RETRIED_BY],
    // Those that one page may look at, and the end of its walk, which is read from the index alone.
    rowsMax: 2_051,
  },
  'the list of the held messages': {
    ask: () => list({ status: ['held'] }),
    indexes: ['whatsapp_messages_held', RETRIED_BY],
    rowsMax: 50 * SCALE,
  },
  'platform metrics of a day': {
    ask: () => getPlatformDeliveryMetrics({ db }),
    indexes: ['message_delivery_metrics_hour_sender_pk', 'whatsapp_messages_created'],
    rowsMax: 26 * SENDERS + HOUR_ROWS_MAX,
  },
  'platform metrics of a week': {
    ask: () => getPlatformDeliveryMetrics({ db }, { since: daysAgo(7), bucket: 'day' }),
    indexes: ['message_delivery_metrics_hour_sender_pk', 'whatsapp_messages_created'],
    // Of the hours of a month.
    rowsMax: WEEK_HOURS_MAX * SENDERS + HOUR_ROWS_MAX,
  },
  'metrics of a recipient over a week': {
    ask: async () => getPhoneDeliveryMetrics({ db }, { phone: known.recipient, since: daysAgo(7), bucket: 'day' }),
    indexes: ['whatsapp_messages_recipient', 'message_delivery_metrics_hour_sender_pk', 'whatsapp_messages_created'],
    // Asked as a sender, it is looked for among the hours of all senders.
    rowsMax: 50 + WEEK_HOURS_MAX * SENDERS + HOUR_ROWS_MAX,
  },
  'the completeness of the receipts of a day': {
    ask: () => getReceiptCompleteness({ db }),
    indexes: ['whatsapp_messages_created'],
    // Those of the day, counted and listed: some 650 of 20,000.
    rowsMax: 2_000 * SCALE,
  },
  'the cleanup of what is older than its period': {
    ask: () =>
      cleanupOldMessages(
        { db, archive: createArchive({ dir: testFolder() }), log: createLogger({ process: 'test', level: 'silent' }) },
        { rowDays: ROW_DAYS, bodyDays: ROW_DAYS, pauseRatio: 0 },
      ),
    indexes: ['whatsapp_messages_created', 'whatsapp_messages_pkey', 'message_status_logs_once'],
    rowsMax: 1_000 * SCALE,
  },
};

it.each(Object.entries(ASKED))('%s is found through an index and touches few rows', async (_what, { ask, indexes, rowsMax }) => {
  const plans = await server.watch(ask);
  expect(plans.length).toBeGreaterThan(0);
  const scans = plans.flatMap(scansOf);
  expect(new Set(scans.map(({ index }) => index))).toEqual(new Set(indexes));
  expect(scans.reduce((sum, { rows }) => sum + rows, 0)).toBeLessThanOrEqual(rowsMax);
});

interface Scan {
  /** Null: the whole table was read. */
  index: string | null;
  rows: number;
}

/** How the plan reads the big tables. The heap part of a bitmap scan counts by the index below it. */
function scansOf(node: PlanNode): Scan[] {
  const below = (node.Plans ?? []).flatMap(scansOf);
  const index = node['Index Name'];
  if (index !== undefined) return BIG_TABLES.some((table) => index.startsWith(table)) ? [{ index, rows: rowsOf(node) }, ...below] : below;
  const isWhole = node['Node Type'] === 'Seq Scan' && BIG_TABLES.includes(node['Relation Name'] ?? '');
  return isWhole ? [{ index: null, rows: rowsOf(node) }, ...below] : below;
}

function rowsOf(node: PlanNode): number {
  return (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
}
