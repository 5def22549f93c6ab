import { applyStatuses, createDatabase, migrateDatabase, type Database } from '@tickmark/delivery';
import type { StatusEvent } from '@tickmark/domain';
import { compareRounds } from '../../harness/compare-rounds.ts';
import { readCpuTimes, subtractCpuTimes, totalOf } from '../../harness/cpu.ts';
import type { GroupContext } from '../../harness/groups.ts';
import type { Comparison, Reached } from '../../harness/report.ts';
import { spreadOf } from '../../harness/statistics.ts';
import type { LoadedDatabase } from './load-once.ts';
import { judgeLive, makeLiveTraffic, removeLive, storeLive, type LiveTraffic } from './live-messages.ts';

/** What the worker makes of callbacks at line rate: a statement for some two hundred, three under way. */
const EVENTS_PER_BATCH = 200;
const BATCHES_UNDER_WAY = 3;

export const STATUSES_MEASURE = 'statuses applied, in batches as the worker makes them';

interface Side {
  name: 'loaded' | 'empty';
  title: string;
  db: Database;
  rounds: Round[];
}

interface Round {
  rate: number;
  cpuMsPer1000: number;
  gate: Awaited<ReturnType<typeof judgeLive>>;
}

/** Statuses of messages of the last minute, in tables that hold much besides and in tables that hold nothing else. */
export async function measureStatuses(
  context: GroupContext,
  loaded: LoadedDatabase,
): Promise<{ reached: Reached[]; comparisons: Comparison[] }> {
  const { effort, services, say } = context;
  await services.dropKept('scale_empty');
  await services.makeTemplate('scale_empty', (url) => migrateDatabase({ url }).then(() => undefined));
  context.cleanups.push(() => services.dropKept('scale_empty'));
  const open = (url: string) => {
    const db = createDatabase({ url, prepare: true, max: BATCHES_UNDER_WAY + 1, applicationName: 'tickmark-bench' });
    context.cleanups.push(() => db.close());
    return db;
  };
  const sides: Side[] = [
    { name: 'loaded', title: `tables with ${loaded.generated.messages} messages`, db: open(loaded.url), rounds: [] },
    { name: 'empty', title: 'tables with nothing else', db: open(services.urlOf('scale_empty')), rounds: [] },
  ];
  // The first round is not counted: what is compiled and planned in it would burden whoever comes first.
  for (let round = 0; round <= effort.rounds; round += 1) {
    const traffic = makeLiveTraffic(Math.ceil(effort.messages / 8));
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const measured = await applyAll(side.db, traffic, services.pids.postgres);
      await removeLive(side.db.sql, traffic);
      if (round > 0) side.rounds.push(measured);
      say(`statuses, round ${round} of ${effort.rounds}: ${side.title} ${Math.round(measured.rate)}/s`);
    }
  }
  return report(sides);
}

async function applyAll(db: Database, traffic: LiveTraffic, postgresPid: number): Promise<Round> {
  await storeLive(db.sql, traffic);
  await db.sql`ANALYZE whatsapp_messages, message_status_logs`;
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

function report(sides: readonly Side[]): { reached: Reached[]; comparisons: Comparison[] } {
  const reached = sides.map(({ name, title, rounds }): Reached => {
    const sum = (read: (gate: Round['gate']) => number) => rounds.reduce((total, { gate }) => total + read(gate), 0);
    const gate = {
      applied: sum(({ applied }) => applied),
      missing: sum(({ missing }) => missing),
      regressed: sum(({ regressed }) => regressed),
    };
    const figures = {
      statusesPerSecond: spreadOf(rounds.map(({ rate }) => rate)),
      cpuMsPer1000: spreadOf(rounds.map(({ cpuMsPer1000 }) => cpuMsPer1000)),
    };
    return { name, title, measure: STATUSES_MEASURE, figures, gate, passed: gate.missing + gate.regressed === 0 };
  });
  const of = (wanted: Side['name'], read: (round: Round) => number) => (sides.find(({ name }) => name === wanted)?.rounds ?? []).map(read);
  const rate = ({ rate: figure }: Round) => figure;
  const cpu = ({ cpuMsPer1000 }: Round) => cpuMsPer1000;
  return {
    reached,
    comparisons: [
      compareRounds(
        { measure: `${STATUSES_MEASURE}: rate`, against: 'empty', better: 'higher', goal: 0.9 },
        of('loaded', rate),
        of('empty', rate),
      ),
      compareRounds(
        { measure: `${STATUSES_MEASURE}: CPU`, against: 'empty', better: 'lower', goal: 1.1 },
        of('loaded', cpu),
        of('empty', cpu),
      ),
    ],
  };
}
