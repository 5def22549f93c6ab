import { resolveUnknown, type UnknownDecision } from '@tickmark/delivery';
import { AppError, REFUSED_DECISIONS, resolveTaskSchema, type ResolveTask } from '@tickmark/domain';
import type { TaskHandler } from '../task-handler.ts';
import { toSendJob } from '../to-send-job.ts';

/** Carries out what somebody decided about a message of unknown outcome. */
export const resolveMessage: TaskHandler = async ({ db, producers, news, clock, metrics, log }, { taskId, input, requestedBy }) => {
  const task = resolveTaskSchema.parse(input);
  const { id, attempt, reason, action } = task;
  const result = await resolveUnknown(db, { id, attempt, decision: toDecision(task), actor: requestedBy, reason });
  if (result.kind === 'refused') throw new AppError('MESSAGE_NOT_RESOLVABLE', REFUSED_DECISIONS[result.why]);
  news.changed([id]);
  if (result.resent !== null) {
    metrics.messageStatus.inc({ status: 'retrying' });
    const now = clock.now();
    await producers.addSend(toSendJob({ ...result.resent, dueAt: now }, now));
  }
  log.info({ taskId, messageId: id, action }, 'unknown outcome resolved by a person');
  return { id, action };
};

function toDecision({ action, messageSid }: ResolveTask): UnknownDecision {
  if (action !== 'adopt') return { action };
  if (messageSid === null) throw new AppError('VALIDATION_FAILED', 'To adopt is to name a SID: ask again with messageSid.');
  return { action, messageSid };
}
