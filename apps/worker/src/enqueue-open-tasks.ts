import { findOpenTasks, type Database } from '@tickmark/delivery';
import type { Producers } from '@tickmark/queues';

/** Whoever asked for a task adds its job at once: an older one without a job has lost it. */
const OLDER_THAN_SECONDS = 10;

/** Tasks that one pass looks at: many more than operators ask for. */
const PASS_TASKS_MAX = 500;

/** Gives tasks that have not ended a job again, in case Redis was away or wiped; one whose job is there keeps it. */
export async function enqueueOpenTasks({
  db,
  producers,
}: {
  db: Pick<Database, 'sql'>;
  producers: Pick<Producers, 'addMaintenance'>;
}): Promise<void> {
  const open = await findOpenTasks(db, { olderThanSeconds: OLDER_THAN_SECONDS, limit: PASS_TASKS_MAX });
  await Promise.all(open.map((taskId) => producers.addMaintenance({ taskId })));
}
