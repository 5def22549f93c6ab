import { applyStatuses, type Database } from '@tickmark/delivery';
import type { StatusEvent } from '@tickmark/domain';
import { readCpuTimes, subtractCpuTimes, totalOf } from '../../harness/cpu.ts';
import { judgeLive, storeLive, type LiveTraffic } from './live-messages.ts';

/** What the worker makes of callbacks at line rate: a statement for some two hundred, three under way. */
const EVENTS_PER_BATCH = 200;
export const BATCHES_UNDER_WAY = 3;

/** One round of live traffic. */
export interface Applied {
  /** Statuses per second. */
  rate: number;
  cpuMsPer1000: number;
  gate: Awaited<ReturnType<typeof judgeLive>>;
}

/** Applies statuses as fast as they are taken, to messages that are stored before the clock starts. */
export async function applyAll(db: Database, traffic: LiveTraffic, postgresPid: number): Promise<Applied> {
  await storeLive(db.sql, traffic);
  const batches = Array.from({ length: Math.ceil(traffic.events.length / EVENTS_PER_BATCH) }, (_, index) =>
    traffic.events.slice(index * EVENTS_PER_BATCH, (index + 1) * EVENTS_PER_BATCH),
  );
  const pids = { app: [process.pid], postgres: [postgresPid], redis: [] };
  const before = readCpuTimes(pids);
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: BATCHES_UNDER_WAY }, () => applyInTurn(db, batches)));
  const seconds = (performance.now() - startedMs) / 1_000;
  const cpu = totalOf(subtractCpuTimes(readCpuTimes(pids), before));
  const count = traffic.events.length;
  return { rate: count / seconds, cpuMsPer1000: (cpu * 1_000) / count, gate: await judgeLive(db.sql, traffic) };
}

async function applyInTurn(db: Database, batches: StatusEvent[][]): Promise<void> {
  for (let batch = batches.shift(); batch !== undefined; batch = batches.shift()) {
    for (const settled of await applyStatuses(db, batch)) if (!settled.ok) throw settled.error;
  }
}
