import type { TaskKind } from '@tickmark/delivery';
import type { TaskHandler } from './task-handler.ts';
import { releaseMessages } from './tasks/release.ts';
import { resolveMessage } from './tasks/resolve.ts';
import { retryMessages } from './tasks/retry.ts';

/** What carries out tasks about messages; those of retention need its settings. */
export const TASK_HANDLERS: Partial<Record<TaskKind, TaskHandler>> = {
  retry: retryMessages,
  release: releaseMessages,
  resolve: resolveMessage,
};
