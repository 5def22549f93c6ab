import type { Database } from '@tickmark/delivery';
import { applyStatusEvent, MESSAGE_STATUSES, type MessageStatus, type StatusProjection } from '@tickmark/domain';

export interface Recomputed {
  /** `hour sender` → measure → count; latencies are left out of it. */
  counts: Record<string, Record<string, number>>;
  /** `hour sender` → stage → milliseconds, each of one message. */
  latencies: Map<string, Record<Stage, number[]>>;
}

export const STAGES = ['toSent', 'toDelivered', 'toRead'] as const;
type Stage = (typeof STAGES)[number];

/** What cannot be told from the log: whose a message is, and when it came. */
interface ExportedMessage {
  id: string;
  sid: string | null;
  sender: string;
  createdAt: Date;
  acceptedAt: Date | null;
  sendAt: Date | null;
  /** Of a message without a SID nothing else tells. */
  status: MessageStatus;
  errorCode: number | null;
}

interface ExportedLine {
  sid: string;
  rawStatus: string;
  errorCode: number | null;
  receivedAt: Date;
}

const WAITING = new Set(['accepted', 'scheduled', 'sending', 'retrying']);

/** The rollups as the exported messages and their log make them: nothing here asks the database to count. */
export async function recomputeMetrics(db: Pick<Database, 'sql'>): Promise<Recomputed> {
  const messages = await db.sql<ExportedMessage[]>`
    SELECT id, message_sid AS sid, COALESCE(sender, sender_address, '') AS sender, created_at AS "createdAt", accepted_at AS "acceptedAt",
      send_at AS "sendAt", status, error_code AS "errorCode"
    FROM whatsapp_messages`;
  const lines = new Map<string, ExportedLine[]>();
  for (const line of await db.sql<ExportedLine[]>`
    SELECT message_sid AS sid, status AS "rawStatus", error_code AS "errorCode", received_at AS "receivedAt" FROM message_status_logs`) {
    const told = lines.get(line.sid);
    if (told) told.push(line);
    else lines.set(line.sid, [line]);
  }
  const result: Recomputed = { counts: {}, latencies: new Map() };
  for (const message of messages) addMessage(result, message, projectionOf(message, lines.get(message.sid ?? '') ?? []));
  return result;
}

const UNTOLD = { contradicted: false, queuedAt: null, sentAt: null, deliveredAt: null, readAt: null, failedAt: null };

function projectionOf({ sid, status, errorCode }: ExportedMessage, log: readonly ExportedLine[]): StatusProjection {
  if (sid === null) return { ...UNTOLD, status, errorCode };
  const taken: StatusProjection = { ...UNTOLD, status: 'queued', errorCode: null };
  return log.reduce((row, { receivedAt, ...line }) => applyStatusEvent(row, { ...line, receivedAt: receivedAt.getTime() }), taken);
}

function addMessage({ counts, latencies }: Recomputed, message: ExportedMessage, row: StatusProjection): void {
  const hour = `${message.createdAt.toISOString().slice(0, 13)}Z`;
  const key = `${hour} ${message.sender}`;
  const sums = (counts[key] ??= {});
  const count = (measure: string) => (sums[measure] = (sums[measure] ?? 0) + 1);
  count('messages');
  if (!WAITING.has(row.status)) count(row.status);
  if (message.sid !== null) count('submitted');
  if (message.sid !== null || row.status === 'failed') count('attempted');
  if (message.sid !== null && MESSAGE_STATUSES[row.status].final) count('complete');
  if ((row.status === 'failed' || row.status === 'undelivered') && row.errorCode !== null) count(`error ${row.errorCode}`);

  const stages = latencies.get(key) ?? { toSent: [], toDelivered: [], toRead: [] };
  latencies.set(key, stages);
  if (message.acceptedAt === null && message.sendAt === null) return;
  const startedAt = Math.max(message.acceptedAt?.getTime() ?? 0, message.sendAt?.getTime() ?? 0);
  const reached = { toSent: row.sentAt, toDelivered: row.deliveredAt, toRead: row.readAt };
  for (const stage of STAGES) if (reached[stage] !== null) stages[stage].push(Math.max(0, reached[stage] - startedAt));
}
