import { createDatabase, type Database } from '@tickmark/delivery';
import { compareRounds } from '../../harness/compare-rounds.ts';
import type { GroupContext } from '../../harness/groups.ts';
import type { Comparison, Reached } from '../../harness/report.ts';
import { spreadOf } from '../../harness/statistics.ts';
import { seedMessages } from '../callbacks/seed-messages.ts';
import { applyAll, BATCHES_UNDER_WAY, type Applied } from './apply-live.ts';
import { makeLiveTraffic, removeLive } from './live-messages.ts';
import type { LoadedDatabase } from './load-once.ts';
import { warmIndexes } from './warm-indexes.ts';

/** So many messages are there for the planner to know the tables by. */
const ANALYZED = 1_000;

const STATUSES_MEASURE = 'statuses applied, in batches as the worker makes them';

interface Side {
  name: 'loaded' | 'empty';
  title: string;
  db: Database;
  rounds: Applied[];
}

/** Statuses of messages of the last minute, in tables that hold much besides and in tables that hold nothing else. */
export async function measureStatuses(
  context: GroupContext,
  loaded: LoadedDatabase,
): Promise<{ reached: Reached[]; comparisons: Comparison[] }> {
  const { effort, services, say } = context;
  await services.dropKept('scale_empty');
  await services.makeTemplate('scale_empty', (url) => seedMessages(url, makeLiveTraffic(ANALYZED).messages));
  context.cleanups.push(() => services.dropKept('scale_empty'));
  const open = (url: string) => {
    const db = createDatabase({ url, prepare: true, max: BATCHES_UNDER_WAY + 1, applicationName: 'tickmark-bench' });
    context.cleanups.push(() => db.close());
    return db;
  };
  const sides: Side[] = [
    { name: 'loaded', title: `tables with ${loaded.generated.messages} messages`, db: open(loaded.url), rounds: [] },
    { name: 'empty', title: `tables with ${ANALYZED} messages`, db: open(services.urlOf('scale_empty')), rounds: [] },
  ];
  const indexBytes = await warmIndexes(loaded.url);
  say(`indexes of the loaded tables read into memory: ${Math.round(indexBytes / 1_048_576)} MB`);
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

function report(sides: readonly Side[]): { reached: Reached[]; comparisons: Comparison[] } {
  const reached = sides.map(({ name, title, rounds }): Reached => {
    const sum = (read: (gate: Applied['gate']) => number) => rounds.reduce((total, { gate }) => total + read(gate), 0);
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
  const of = (wanted: Side['name'], read: (round: Applied) => number) =>
    (sides.find(({ name }) => name === wanted)?.rounds ?? []).map(read);
  const rate = ({ rate: figure }: Applied) => figure;
  const cpu = ({ cpuMsPer1000 }: Applied) => cpuMsPer1000;
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
