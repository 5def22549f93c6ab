import { retryFailedMessages } from '@tickmark/delivery';
import { retryTaskSchema } from '@tickmark/domain';
import type { TaskHandler } from '../task-handler.ts';
import { toSendJob } from '../to-send-job.ts';

/** Listed in the result at most; the number of all is told besides. */
const SKIPPED_SHOWN_MAX = 1_000;

/** Sends again the messages that somebody chose, each judged anew. */
export const retryMessages: TaskHandler = async ({ db, producers, news, clock, metrics, log }, { taskId, requestedBy, signal, ...run }) => {
  const { ids, force, reason } = retryTaskSchema.parse(run.input);
  const { skipped, ...counts } = await retryFailedMessages(
    {
      db,
      enqueue: async (rows) => {
        metrics.messageStatus.inc({ status: 'accepted' }, rows.length);
        news.changed(rows.map(({ id }) => id));
        await producers.addSend(rows.flatMap((row) => toSendJob(row, clock.now())));
      },
    },
    { ids, force, dryRun: false, actor: requestedBy, reason, requestId: taskId, signal, onProgress: run.progress },
  );
  log.info({ taskId, ...counts, skipped: skipped.length }, 'failed messages are sent again');
  return { ...counts, skipped: skipped.slice(0, SKIPPED_SHOWN_MAX), skippedCount: skipped.length };
};
