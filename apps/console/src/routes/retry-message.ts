import { findMessageId, retryFailedMessages, type Database, type RetrySkip } from '@tickmark/delivery';
import { AppError, retryMessageId, type RetryTask } from '@tickmark/domain';
import type { Authenticator, HttpServer } from '@tickmark/http';
import { z } from 'zod';
import { askForTask, taskAskedSchema, type AskForTaskDeps } from '../ask-for-task.ts';
import { NO_REASON, optionalReasonField } from '../operator-fields.ts';
import { withStore } from '../with-store.ts';

const paramsSchema = z.object({ id: z.string().max(256).describe('id of the message, or its SID at Twilio') });

const bodySchema = z.strictObject({
  force: z.boolean().default(false).describe('also when it most likely fails again, or may have arrived'),
  reason: optionalReasonField,
});

const answerSchema = taskAskedSchema.extend({ retryId: z.uuid().describe('id of the message that will be sent') });

const MESSAGE_NOT_FOUND = 'There is no message of this id or SID: check it.';

/** What each obstacle means, and what to do next. */
const OBSTACLES = {
  not_found: MESSAGE_NOT_FOUND,
  delivered: 'It arrived: there is nothing to send again.',
  contradicted: 'It was told to have arrived as well as to have failed: it is not sent again. Send a new message if it has to be.',
  unknown: 'Nobody knows yet whether it was sent: decide with POST /v1/messages/:id/resolve.',
  not_failed: 'It has not failed: only what failed, was not delivered or expired is sent again. Look at its status.',
  not_ours: 'It was not sent through this system, so its content is not known here: send a new message.',
  already_retried: 'It was sent again already: retriedBy of the message names its retry, which may be retried in its turn.',
  is_retry: 'It is a retry itself: ask for it by its id.',
  retry_canceled: 'Its retry was canceled, and there is no second one: send a new message if it has to be.',
  content_removed: 'Its content was removed after its retention: send a new message.',
  canceled: 'Its producer canceled it: send a new message if it has to be.',
  suppressed: 'Its recipient must not be written to: see GET /v1/suppressions.',
  permanent: 'Its error code says that it will fail again. Mend the cause; to send it all the same, ask with force: true.',
  may_have_arrived: 'It may have arrived, so the recipient could get it twice. To send it all the same, ask with force: true.',
} satisfies Record<RetrySkip, string>;

/** Sends one failed message again. */
export function addRetryMessageRoute(
  server: HttpServer,
  { authenticator, ...deps }: AskForTaskDeps & { authenticator: Authenticator },
): void {
  server.post(
    '/v1/messages/:id/retry',
    {
      onRequest: authenticator.require('admin'),
      schema: {
        tags: ['messages'],
        summary: 'Send a failed message again, as a new message',
        params: paramsSchema,
        body: bodySchema.nullish(),
        response: { 202: answerSchema },
      },
    },
    async (request, reply) => {
      const { force, reason = NO_REASON } = request.body ?? { force: false };
      const id = await withStore(deps.db, () => chooseMessage(deps.db, request.params.id, force));
      const input: RetryTask = { ids: [id], force, reason };
      const { taskId } = await askForTask(deps, { kind: 'retry', input, requestedBy: request.producer });
      return reply.code(202).send({ taskId, retryId: retryMessageId(id) });
    },
  );
}

/** @throws AppError when the message is not to be sent again, as far as a look tells: its task will look anew */
async function chooseMessage(db: Database, idOrSid: string, force: boolean): Promise<string> {
  const id = await findMessageId(db, idOrSid);
  if (id === null) throw new AppError('MESSAGE_NOT_FOUND', MESSAGE_NOT_FOUND);
  const asked = { ids: [id], force, dryRun: true, actor: '', reason: '' };
  const { skipped } = await retryFailedMessages({ db, enqueue: () => Promise.resolve() }, asked);
  const why = skipped[0]?.why;
  if (why === undefined) return id;
  throw new AppError('MESSAGE_NOT_RETRYABLE', OBSTACLES[why], { details: { why } });
}
