import type { TaskKind } from '@tickmark/delivery';
import { AppError } from '@tickmark/domain';
import type { TaskHandler } from './task-handler.ts';
import { releaseMessages } from './tasks/release.ts';
import { resolveMessage } from './tasks/resolve.ts';
import { retryMessages } from './tasks/retry.ts';

/** What carries out each kind of task. */
export const TASK_HANDLERS: Record<TaskKind, TaskHandler> = {
  retry: retryMessages,
  release: releaseMessages,
  resolve: resolveMessage,
  cleanup: refuseUnknown,
  erase: refuseUnknown,
};

async function refuseUnknown(): Promise<never> {
  throw new AppError('NOT_FOUND', 'This release does not carry out such tasks: install a newer one and ask again.');
}
