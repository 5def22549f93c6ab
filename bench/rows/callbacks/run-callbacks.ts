import type { Candidate } from '../../harness/candidate.ts';
import type { GroupContext } from '../../harness/groups.ts';
import { startGenerator } from '../../harness/load/start-generator.ts';
import type { GroupReport, Reached } from '../../harness/report.ts';
import { spreadOf } from '../../harness/statistics.ts';
import * as rivals from './candidates.ts';
import { compare, cpuOf, rateOf, type Goal } from './compare.ts';
import { isPassed, type Gate } from './judge.ts';
import type { Lab } from './lab.ts';
import { makeCallbacks } from './make-callbacks.ts';
import { measureOnce, type Destination, type RunFigures } from './measure.ts';
import { seedMessages } from './seed-messages.ts';
import { surviveKill } from './survive-kill.ts';
import { tickmark, tickmarkIngress } from './tickmark.ts';

interface Measure {
  name: string;
  ours: Candidate;
  rivals: Candidate[];
  destinationOf: (candidate: Candidate) => Destination;
  goals: Omit<Goal, 'measure'>[];
}

const rate = (against: Candidate, goal: number) => ({ against: against.name, of: rateOf, goal, better: 'higher' as const });
const cpu = (against: Candidate, goal: number) => ({ against: against.name, of: cpuOf, goal, better: 'lower' as const });

/** The goals are those that the project was designed by. */
const MEASURES: Measure[] = [
  {
    name: 'signed callback → durable in Redis, one ingress process',
    ours: tickmarkIngress,
    rivals: [rivals.bareFastify, rivals.nothingStored, rivals.jobPerCallback],
    destinationOf: ({ durability }) => (durability === 'none' ? 'nowhere' : 'redis'),
    goals: [rate(rivals.nothingStored, 0.9), rate(rivals.jobPerCallback, 3)],
  },
  {
    name: 'callback → row in Postgres, end to end',
    ours: tickmark,
    rivals: [
      rivals.updatePerCallback,
      rivals.jobAndTransaction,
      rivals.pgBoss,
      rivals.pgBossGrouped,
      rivals.graphileWorker,
      rivals.graphileWorkerGrouped,
      rivals.memoryBatch,
    ],
    destinationOf: () => 'postgres',
    goals: [
      rate(rivals.updatePerCallback, 3),
      cpu(rivals.updatePerCallback, 0.33),
      rate(rivals.jobAndTransaction, 4),
      cpu(rivals.jobAndTransaction, 0.15),
      rate(rivals.pgBoss, 6),
      rate(rivals.graphileWorker, 6),
      cpu(rivals.memoryBatch, 1),
    ],
  },
];

const TEMPLATE = 'bench_callbacks';

/** Signed status callbacks, from the socket to Redis and to the row, beside other ways of taking them. */
export async function runCallbacks({ effort, services, folder, say, cleanups }: GroupContext): Promise<GroupReport> {
  say(`signing callbacks of ${effort.messages} messages and making the database that each run copies`);
  const pool = makeCallbacks(effort.messages, folder);
  await services.makeTemplate(TEMPLATE, (url) => seedMessages(url, pool.messages));
  const generator = await startGenerator(pool.file);
  cleanups.push(() => generator.stop());
  const lab: Lab = { effort, services, generator, pool, template: TEMPLATE, folder, cleanups };

  const reached: Reached[] = [];
  const comparisons = [];
  for (const measure of MEASURES) {
    const figures = await runRounds(lab, measure, say);
    const of = ({ name }: Candidate) => figures.get(name) ?? [];
    reached.push(...[measure.ours, ...measure.rivals].map((candidate) => summarize(measure.name, candidate, of(candidate))));
    for (const goal of measure.goals) {
      const name = `${measure.name}: ${goal.of === rateOf ? 'rate' : 'CPU'}`;
      comparisons.push(compare({ ...goal, measure: name }, of(measure.ours), figures.get(goal.against) ?? []));
    }
  }
  const kills = [];
  for (const candidate of [tickmark, rivals.memoryBatch]) {
    say(`kill -9: ${candidate.title}`);
    const { answered, lost } = await surviveKill(lab, candidate);
    kills.push({ name: candidate.name, answered, lost, passed: candidate !== tickmark || lost === 0 });
  }
  const correct = reached.every(({ passed }) => passed) && kills.every(({ passed }) => passed);
  return { group: 'callbacks', reached, comparisons, kills, correct };
}

async function runRounds(lab: Lab, { name, ours, rivals: others, destinationOf }: Measure, say: GroupContext['say']) {
  const candidates = [ours, ...others];
  const figures = new Map<string, RunFigures[]>(candidates.map((candidate) => [candidate.name, []]));
  for (let round = 0; round < lab.effort.rounds; round += 1) {
    // Each round begins with another one, so that nobody always comes after the same neighbour.
    const first = round % candidates.length;
    for (const candidate of [...candidates.slice(first), ...candidates.slice(0, first)]) {
      const measured = await measureOnce(lab, candidate, destinationOf(candidate));
      figures.get(candidate.name)?.push(measured);
      say(`${name}, round ${round + 1} of ${lab.effort.rounds}: ${candidate.title} ${Math.round(measured.rate)}/s`);
    }
  }
  return figures;
}

function summarize(measure: string, { name, title, durability, tuning }: Candidate, runs: readonly RunFigures[]): Reached {
  const over = (read: (figures: RunFigures) => number) => spreadOf(runs.map(read));
  const sum = (read: (gate: Gate) => number) => runs.reduce((total, { gate }) => total + read(gate), 0);
  return {
    name,
    title,
    durability,
    tuning,
    measure,
    figures: {
      callbacksPerSecond: over(rateOf),
      cpuMsPer1000: over(cpuOf),
      ofThatApp: over((figures) => figures.cpu.app),
      postgres: over((figures) => figures.cpu.postgres),
      redis: over((figures) => figures.cpu.redis),
      p50Ms: over((figures) => figures.latencyMs.p50),
      p99Ms: over((figures) => figures.latencyMs.p99),
      generatorBusy: over((figures) => figures.generatorBusy),
    },
    gate: {
      answered: sum((gate) => gate.answered),
      refused: sum((gate) => gate.refused),
      missing: sum((gate) => gate.missing),
      regressed: sum((gate) => gate.regressed),
      duplicate: sum((gate) => gate.duplicate),
    },
    passed: runs.every(({ gate }) => isPassed(gate)),
  };
}
