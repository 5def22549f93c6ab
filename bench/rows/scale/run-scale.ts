import { createDatabase } from '@tickmark/delivery';
import type { GroupContext } from '../../harness/groups.ts';
import type { GroupReport } from '../../harness/report.ts';
import { loadOnce } from './load-once.ts';
import { measureCleanup } from './measure-cleanup.ts';
import { measureReads } from './measure-reads.ts';
import { measureSizes } from './measure-sizes.ts';
import { measureStatuses } from './measure-statuses.ts';
import { makeQuestions, sampleMessages } from './questions.ts';

/** A question needs no more to have a 99th percentile. */
const SAMPLED_MAX = 300;

/** What the size of the tables costs: questions, statuses and the cleanup, in tables that hold many generated messages. */
export async function runScale(context: GroupContext): Promise<GroupReport> {
  const { effort, services, say, cleanups } = context;
  const loaded = await loadOnce(services, effort.tableMessages, say);
  // First, because it copies a database, which nobody may be using then.
  const cleanup = await measureCleanup(context);
  const db = createDatabase({ url: loaded.url, prepare: true, max: 4, applicationName: 'tickmark-bench' });
  cleanups.push(() => db.close());
  const sizes = await measureSizes(db.sql);
  const messages = await sampleMessages(db.sql, loaded, Math.min(SAMPLED_MAX, effort.warmUpCount / 10));
  const reads = await measureReads(context, `questions to ${effort.tableMessages} messages`, makeQuestions(db), messages);
  const statuses = await measureStatuses(context, loaded);
  const reached = [...sizes, ...reads, ...statuses.reached, ...cleanup.reached];
  const comparisons = [...statuses.comparisons, ...cleanup.comparisons];
  return { group: 'scale', reached, comparisons, kills: [], correct: reached.every(({ passed }) => passed) };
}
