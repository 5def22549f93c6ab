import { releaseHeld } from '@tickmark/delivery';
import { releaseTaskSchema } from '@tickmark/domain';
import type { TaskHandler } from '../task-handler.ts';

/** Messages between two signs of progress. */
const PAGE_ROWS = 1_000;

/** Lets the held messages go on that somebody chose, as far as they are still held. The sweeper gives them their jobs. */
export const releaseMessages: TaskHandler = async ({ db, news, metrics, log }, { taskId, input, requestedBy, progress, signal }) => {
  const { ids, code, reason } = releaseTaskSchema.parse(input);
  let released = 0;
  for (let from = 0; from < ids.length; from += PAGE_ROWS) {
    signal.throwIfAborted();
    const which = { ids: ids.slice(from, from + PAGE_ROWS), code };
    const page = await releaseHeld(db, { which, dryRun: false, actor: requestedBy, reason });
    released += page.released;
    news.changed(which.ids);
    metrics.messageStatus.inc({ status: 'retrying' }, page.released);
    await progress({ done: Math.min(from + PAGE_ROWS, ids.length), of: ids.length, released });
  }
  log.info({ taskId, code, matched: ids.length, released }, 'held messages released');
  // Others were moved meanwhile: canceled, expired, or released, also by an earlier run of this task.
  return { matched: ids.length, released, notHeldAnyMore: ids.length - released };
};
