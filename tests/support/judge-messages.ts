import { compareProgress, MESSAGE_STATUSES, projectTwilioStatus, type MessageStatus } from '@tickmark/domain';
import type { Ledger } from './pipeline.ts';

export interface JudgedRow {
  id: string;
  status: MessageStatus;
  messageSid: string | null;
  errorCode: number | null;
}

export interface Judgement {
  rows: number;
  /** Messages that the ledger has, and rows whose refusal it has. */
  created: number;
  refused: number;
  /** Rows that stay `unknown`: the message exists at Twilio (nobody told us), or it does not. */
  unknownCreated: number;
  unknownAbsent: number;
  /** Of the absent ones: never called for, because a worker died between the claim and the call. The others' call was lost on its way. */
  unknownUncalled: number;
  /** Messages that were created more than once. */
  twice: string[];
  /** Accepted but without a row; or neither created, refused nor unknown. */
  lost: string[];
  /** Rows that say something else than the ledger, with both sides. */
  disagreeing: string[];
}

/**
 * What the rows say against what the simulated Twilio saw, once nothing moves any more.
 *
 * @param accepted ids that were answered 202; rows that the system made itself are judged as well
 */
export function judgeMessages(accepted: readonly string[], rows: readonly JudgedRow[], ledger: Ledger): Judgement {
  const byMessage = groupBy(ledger.creates, (create) => create.m ?? '');
  const callbacks = groupBy(ledger.callbacks, (callback) => callback.sid);
  const known = new Set(rows.map((row) => row.id));
  const judgement: Judgement = {
    rows: rows.length,
    created: 0,
    refused: 0,
    unknownCreated: 0,
    unknownAbsent: 0,
    unknownUncalled: 0,
    twice: [...byMessage].filter(([, creates]) => creates.filter(isCreated).length > 1).map(([id]) => id),
    lost: accepted.filter((id) => !known.has(id)),
    disagreeing: [...byMessage.keys()].filter((id) => !known.has(id)).map((id) => `${id}: called for, but no row has this id`),
  };
  for (const row of rows) judgeRow(row, byMessage.get(row.id) ?? [], callbacks, judgement);
  return judgement;
}

type Create = Ledger['creates'][number];
type Callback = Ledger['callbacks'][number];

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

function isCreated(create: Create): boolean {
  return create.outcome !== 'refused';
}

function judgeRow(row: JudgedRow, creates: readonly Create[], callbacks: ReadonlyMap<string, Callback[]>, judgement: Judgement): void {
  const created = creates.find(isCreated);
  const disagree = (ledger: string) => judgement.disagreeing.push(`${row.id}: the row says ${describe(row)}, the ledger ${ledger}`);
  if (created) judgement.created++;
  if (row.status === 'unknown' && row.messageSid === null) {
    if (created) judgement.unknownCreated++;
    else judgement.unknownAbsent++;
    if (creates.length === 0) judgement.unknownUncalled++;
  } else if (created) {
    const { taken, told } = toldOf(created.sid, callbacks);
    if (row.messageSid !== created.sid || isFurther(taken, row.status) || isFurther(row.status, told))
      disagree(`${taken} with ${created.sid}`);
  } else if (row.messageSid !== null) {
    disagree('has no such message');
  } else if (row.status === 'failed') {
    // A 429 refuses the call, never the message.
    const last = creates.at(-1);
    if (last && last.httpStatus !== 429) judgement.refused++;
    else disagree(last ? 'has a 429 only' : 'has no refusal');
  } else if (!MESSAGE_STATUSES[row.status].final) {
    judgement.lost.push(`${row.id} (${describe(row)})`);
  }
}

/** The furthest status among the callbacks that were answered 204, and among all: one whose answer came too late may have been taken. */
function toldOf(sid: string | null, callbacks: ReadonlyMap<string, Callback[]>): { taken: MessageStatus; told: MessageStatus } {
  const ofSid = callbacks.get(sid ?? '') ?? [];
  const furthest = (from: readonly Callback[]) =>
    from.reduce<MessageStatus>((known, { status: word }) => {
      const status = projectTwilioStatus(word);
      return status !== null && isFurther(status, known) ? status : known;
    }, 'queued');
  return { taken: furthest(ofSid.filter(({ httpStatus }) => httpStatus === 204)), told: furthest(ofSid) };
}

function isFurther(status: MessageStatus, than: MessageStatus): boolean {
  return compareProgress({ status, errorCode: null }, { status: than, errorCode: null }) > 0;
}

function describe({ status, messageSid, errorCode }: JudgedRow): string {
  return [status, ...(errorCode === null ? [] : [errorCode]), messageSid === null ? 'without a sid' : `with ${messageSid}`].join(' ');
}
