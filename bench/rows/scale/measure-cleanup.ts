import { cleanupOldMessages, createArchive, createDatabase, type CleanupResult } from '@tickmark/delivery';
import { createLogger } from '@tickmark/runtime';
import postgres from 'postgres';
import { compareRounds } from '../../harness/compare-rounds.ts';
import type { GroupContext } from '../../harness/groups.ts';
import type { Comparison, Reached } from '../../harness/report.ts';
import { spreadOf } from '../../harness/statistics.ts';
import { applyAll, BATCHES_UNDER_WAY, type Applied } from './apply-live.ts';
import { makeLiveTraffic, removeLive } from './live-messages.ts';
import { loadOnce } from './load-once.ts';

const MEASURE = 'statuses applied while old messages are cleaned up';
const ROWS_MAX = 1_000_000;
/** All but the last day's are old here; contents are left to go with their rows. */
const PERIODS = { rowDays: 1, bodyDays: 36_500 };

interface Rounds {
  quiet: Applied[];
  cleaning: (Applied & { deleted: number })[];
}

/** The same live traffic with and without the cleanup at work on the same tables. */
export async function measureCleanup(context: GroupContext): Promise<{ reached: Reached[]; comparisons: Comparison[] }> {
  const { effort, services, say, cleanups, folder } = context;
  const loaded = await loadOnce(services, Math.min(ROWS_MAX, effort.tableMessages), say);
  await services.dropKept('scale_cleanup');
  const copy = await services.copyTemplate(new URL(loaded.url).pathname.slice(1), 'scale_cleanup');
  cleanups.push(() => copy.drop());
  // The cleanup has two connections of its own, as it has in a worker: one of them holds its lock.
  const db = createDatabase({ url: copy.url, prepare: true, max: BATCHES_UNDER_WAY + 3, applicationName: 'tickmark-bench' });
  cleanups.push(() => db.close());
  const deps = { db, archive: createArchive({ dir: `${folder}/archive` }), log: createLogger({ process: 'bench', level: 'silent' }) };
  const clean = (signal?: AbortSignal, pauseRatio?: number) =>
    cleanupOldMessages(deps, { ...PERIODS, fileRecords: 2_000, ...(pauseRatio === undefined ? {} : { pauseRatio }) }, signal);

  const startedAt = new Date();
  const before = await countKept(copy.url, startedAt);
  let deleted = 0;
  const rounds: Rounds = { quiet: [], cleaning: [] };
  for (let round = 0; round <= effort.rounds; round += 1) {
    const sides = round % 2 === 0 ? (['quiet', 'cleaning'] as const) : (['cleaning', 'quiet'] as const);
    for (const side of sides) {
      const traffic = makeLiveTraffic(Math.ceil(effort.messages / 4));
      const abort = new AbortController();
      const cleaning = side === 'cleaning' ? clean(abort.signal) : null;
      const applied = await applyAll(db, traffic, services.pids.postgres);
      abort.abort();
      const deletedNow = cleaning === null ? 0 : deletedBy(await cleaning);
      deleted += deletedNow;
      await removeLive(db.sql, traffic);
      if (round === 0) continue;
      if (side === 'quiet') rounds.quiet.push(applied);
      else rounds.cleaning.push({ ...applied, deleted: deletedNow });
      say(`cleanup, round ${round} of ${effort.rounds}: ${side} ${Math.round(applied.rate)} statuses/s, ${deletedNow} messages removed`);
    }
  }
  return report(rounds, { before, after: await countKept(copy.url, startedAt), deleted });
}

function deletedBy(result: CleanupResult): number {
  return result.kind === 'cleaned' ? (result.rows['message']?.deleted ?? 0) + result.resumed : 0;
}

interface Kept {
  /** Final, and older than the period when the measurement began. */
  old: number;
  /** Not final, or so young that they are not old in an hour either. */
  others: number;
}

/** By a connection without the time-outs of ours: it reads the whole table. */
async function countKept(url: string, startedAt: Date): Promise<Kept> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  const [row] = await sql<Kept[]>`
    SELECT count(*) FILTER (WHERE rank >= 50 AND changed_at < ${startedAt}::timestamptz - ${PERIODS.rowDays} * interval '1 day')::int AS old,
      count(*) FILTER (WHERE rank < 50 OR changed_at > ${startedAt}::timestamptz - ${PERIODS.rowDays} * interval '1 day' + interval '1 hour')::int AS others
    FROM (SELECT rank, GREATEST(created_at, updated_at, sent_at, delivered_at, read_at, failed_at) AS changed_at FROM whatsapp_messages) AS m`;
  await sql.end();
  return row ?? { old: 0, others: 0 };
}

function report(
  { quiet, cleaning }: Rounds,
  { before, after, deleted }: { before: Kept; after: Kept; deleted: number },
): { reached: Reached[]; comparisons: Comparison[] } {
  const describe = (
    name: string,
    title: string,
    rounds: readonly Applied[],
    faults: Record<string, number>,
    figures: Reached['figures'],
  ): Reached => {
    const sum = (read: (gate: Applied['gate']) => number) => rounds.reduce((total, { gate }) => total + read(gate), 0);
    const applied = { applied: sum((gate) => gate.applied) };
    const all = { missing: sum((gate) => gate.missing), regressed: sum((gate) => gate.regressed), ...faults };
    const passed = Object.values(all).every((count) => count === 0);
    return {
      name,
      title,
      measure: MEASURE,
      figures: { statusesPerSecond: spreadOf(rounds.map(rateOf)), ...figures },
      gate: { ...applied, ...all },
      passed,
    };
  };
  // Each message that went was old and counted once; nothing else went.
  const faults = { unaccounted: Math.abs(before.old - deleted - after.old), 'others gone': before.others - after.others };
  const removed = { messagesRemovedPerRound: spreadOf(cleaning.map((round) => round.deleted)), ofOldOnes: spreadOf([before.old]) };
  const goal = { measure: `${MEASURE}: rate`, against: 'quiet', better: 'higher', goal: 0.8 } as const;
  return {
    reached: [describe('cleaning', 'with the cleanup', cleaning, faults, removed), describe('quiet', 'without', quiet, {}, {})],
    comparisons: [compareRounds(goal, cleaning.map(rateOf), quiet.map(rateOf))],
  };
}

const rateOf = ({ rate }: Applied): number => rate;
