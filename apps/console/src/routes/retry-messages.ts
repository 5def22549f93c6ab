import { chooseRetries, RETRY_SKIPS, type RetryChoice } from '@tickmark/delivery';
import { reasonSchema, type RetryTask } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { askForTask, taskAskedSchema, type AskForTaskDeps } from '../ask-for-task.ts';
import { messageFilterParams } from '../message-filter-schema.ts';
import { dryRunField, NO_REASON } from '../operator-fields.ts';
import { withStore } from '../with-store.ts';

/** New messages of one request at most. */
const COUNT_MAX = 10_000;
const COUNT_DEFAULT = 1_000;

/** Listed in the answer at most: the number of all is told besides. */
const SKIPPED_SHOWN_MAX = 1_000;

const filterSchema = z
  .strictObject(messageFilterParams)
  .describe('as the parameters of GET /v1/messages; without status those that failed, were not delivered or expired');

const bodySchema = z
  .strictObject({
    filter: filterSchema,
    dryRun: dryRunField,
    maxCount: z.int().min(1).max(COUNT_MAX).default(COUNT_DEFAULT).describe('new messages at most'),
    force: z.boolean().default(false).describe('also what most likely fails again (permanent) or may have arrived (may_have_arrived)'),
    reason: reasonSchema.optional().describe('why, for the audit log; a dry run needs none'),
  })
  .refine(({ dryRun, filter: { status: _status, ...bounds } }) => dryRun || Object.values(bounds).some((values) => values !== undefined), {
    path: ['filter'],
    message:
      'add to filter at least one of to, from, errorCode, producer, campaign, since, until, such as "since": "2026-01-31T08:00:00Z", so that nobody sends everything again by accident; a dry run (dryRun: true) needs none',
  })
  .refine(({ dryRun, reason }) => dryRun || reason !== undefined, { path: ['reason'], message: 'say why: it is kept in the audit log' });

const choiceSchema = z.object({
  matched: z.int().describe('messages that fit the filter, as far as was looked'),
  toSend: z.int().describe('those that are sent again'),
  skipped: z.array(z.object({ id: z.uuid(), why: z.enum(RETRY_SKIPS) })).describe(`${SKIPPED_SHOWN_MAX} at most`),
  skippedCount: z.int(),
  complete: z.boolean().describe('false: there may be more; ask again after these, or narrow the time (since, until)'),
});

const DESCRIPTION = `A retry is a new message with retryOf; the old one does not change, and has one retry at most: asking twice sends nothing twice.
What arrived, is unknown, waits, is suppressed or is a retry itself (is_retry: retry it by its id) is skipped and listed, also with force. The messages are chosen now, the newest first; the task looks
at each again before it makes its retry.`;

/** Sends all failed messages again that a filter means. */
export function addRetryMessagesRoute(
  server: HttpServer,
  { authenticator, ...deps }: AskForTaskDeps & { authenticator: Authenticator },
): void {
  server.post(
    '/v1/messages/retry',
    {
      onRequest: authenticator.require('admin'),
      schema: {
        tags: ['messages'],
        summary: 'Send failed messages again, as new messages; or say what that would do',
        description: DESCRIPTION,
        body: bodySchema,
        response: { 200: choiceSchema, 202: taskAskedSchema.extend(choiceSchema.shape) },
      },
    },
    async (request, reply) => {
      const { filter, dryRun, maxCount, force, reason = NO_REASON } = request.body;
      const choice = await withStore(deps.db, () => chooseRetries(deps.db, { filter, countMax: maxCount, force }));
      if (dryRun) return reply.code(200).send(describeChoice(choice));
      const input: RetryTask = { ids: choice.ids, force, reason };
      const asked = await askForTask(deps, { kind: 'retry', input, requestedBy: request.producer });
      return reply.code(202).send({ ...asked, ...describeChoice(choice) });
    },
  );
}

function describeChoice({ matched, ids, skipped, complete }: RetryChoice): z.infer<typeof choiceSchema> {
  return { matched, toSend: ids.length, skipped: skipped.slice(0, SKIPPED_SHOWN_MAX), skippedCount: skipped.length, complete };
}
