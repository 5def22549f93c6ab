import { MESSAGE_STATUSES } from '@tickmark/domain';
import type { Redis } from 'ioredis';
import type postgres from 'postgres';
import type { Callback } from './make-callbacks.ts';

/** What must be nought before a figure counts. */
export interface Gate {
  /** Callbacks that were answered with a 2xx. */
  answered: number;
  /** Sent, and answered with something else or not at all. */
  refused: number;
  /** Answered, and not there. */
  missing: number;
  /** Rows that stand lower than what was answered. */
  regressed: number;
  /** There twice, or made from nothing. */
  duplicate: number;
}

export function isPassed({ refused, missing, regressed, duplicate }: Gate): boolean {
  return refused + missing + regressed + duplicate === 0;
}

const keyOf = ({ sid, status }: { sid: string; status: string }) => `${sid} ${status}`;

/** How many lines of the log these callbacks must leave: repeated ones leave one. */
export function countDistinct(callbacks: readonly Callback[]): number {
  return new Set(callbacks.map(keyOf)).size;
}

/** Compares the rows and the log with what was answered. */
export async function judgeRows(sql: postgres.Sql, answered: readonly Callback[], messages: number): Promise<Omit<Gate, 'refused'>> {
  const rows = await sql<{ sid: string; rank: number }[]>`SELECT message_sid AS sid, rank FROM whatsapp_messages`;
  const logs = await sql<{ sid: string; status: string }[]>`SELECT message_sid AS sid, status FROM message_status_logs`;
  const logged = new Set(logs.map(keyOf));
  const ranks = new Map(rows.map(({ sid, rank }) => [sid, rank]));
  const isLower = ({ sid, status }: Callback) => (ranks.get(sid) ?? -1) < MESSAGE_STATUSES[status].rank;
  return {
    answered: answered.length,
    missing: new Set(answered.filter((callback) => !logged.has(keyOf(callback))).map(keyOf)).size,
    regressed: new Set(answered.filter((callback) => logged.has(keyOf(callback)) && isLower(callback)).map(({ sid }) => sid)).size,
    duplicate: logs.length - logged.size + Math.max(0, rows.length - messages),
  };
}

/** Compares what lies in Redis as jobs, one callback or many in each, with what was answered. */
export async function judgeRedis(redis: Redis, answered: readonly Callback[]): Promise<Omit<Gate, 'refused'>> {
  const held = (await readJobs(redis)).flatMap(keysOfJob);
  const distinct = new Set(held);
  return {
    answered: answered.length,
    missing: new Set(answered.map(keyOf).filter((key) => !distinct.has(key))).size,
    regressed: 0,
    // Repeated callbacks lie there as often as they were answered; applying them once is the worker's part.
    duplicate: Math.max(0, held.length - answered.length),
  };
}

/** Callbacks that wait in jobs. */
export async function countWaiting(redis: Redis): Promise<number> {
  return (await readJobs(redis)).flatMap(keysOfJob).length;
}

/** The data of every BullMQ job: the hashes that have a field of that name. */
async function readJobs(redis: Redis): Promise<string[]> {
  const jobs: string[] = [];
  for await (const keys of redis.scanStream({ count: 1_000, type: 'hash' }) as AsyncIterable<string[]>) {
    const pipeline = redis.pipeline();
    for (const key of keys) pipeline.hget(key, 'data');
    for (const [, data] of (await pipeline.exec()) ?? []) if (typeof data === 'string') jobs.push(data);
  }
  return jobs;
}

function keysOfJob(data: string): string[] {
  const job = JSON.parse(data) as JobEvent & { events?: JobEvent[] };
  return (job.events ?? [job]).flatMap(({ messageSid, rawStatus }) => (messageSid === undefined ? [] : [`${messageSid} ${rawStatus}`]));
}

/** A job of another queue has neither. */
interface JobEvent {
  messageSid?: string;
  rawStatus?: string;
}
